// @ts-check
import { join } from 'node:path'
import { Application, Logger, LogLevel } from 'typedoc'
import { readPackages } from '../workspace.mjs'

/** Keeps what is said, for whoever asked. */
class KeptMessages extends Logger {
  /** @type {string[]} */
  problems = []

  /**
   * @override
   * @param {string} message
   * @param {LogLevel} level
   */
  log(message, level) {
    if (level >= LogLevel.Warn) this.problems.push(message)
  }
}

/**
 * The files that packages are imported from, each with the name that imports it.
 * @param {string} root
 */
function entriesOf(root) {
  const packages = readPackages(root).filter(({ manifest }) => manifest.private !== true)
  return packages.flatMap(({ name, folder, manifest }) =>
    Object.entries(manifest.exports ?? {}).map(([key, target]) => ({
      file: join(folder, Object(target)['@trimkv/source']),
      name: name + key.slice(1),
    })),
  )
}

/** @param {import('typedoc').DeclarationReflection} exported */
const isDescribed = (exported) =>
  exported.isReference() ||
  exported.hasComment() ||
  (exported.signatures ?? []).some((signature) => signature.hasComment())

/**
 * Reads what every public package exports, from source, with the docstrings.
 * @param {string} root
 * @returns {Promise<{ problems: string[], exported: number, write: (folder: string) => Promise<void> }>} `problems`: exported
 *   names without a docstring, links that lead nowhere, parameters that do not exist; `write` makes a site that needs no server
 */
export async function readReference(root) {
  const entries = entriesOf(root)
  const app = await Application.bootstrap({
    name: 'TRIM-KV for TypeScript',
    entryPoints: entries.map(({ file }) => file),
    basePath: root,
    displayBasePath: root,
    tsconfig: join(root, 'tsconfig.json'),
    // That is another check.
    skipErrorChecking: true,
    readme: 'none',
    githubPages: false,
    disableSources: true,
    validation: { notDocumented: false, invalidLink: true, notExported: false },
  })
  const logger = new KeptMessages()
  app.logger = logger
  const project = await app.convert()
  if (!project) throw new Error(logger.problems.join('\n'))
  app.validate(project)

  const modules = project.children ?? []
  for (const module of modules) {
    const entry = entries.find(({ file }) => file.endsWith(`/${module.name}/index.ts`))
    if (entry) module.name = entry.name
  }
  const undescribed = modules.flatMap(({ name, children = [] }) =>
    children
      .filter((exported) => !isDescribed(exported))
      .map((exported) => `${name}: ${exported.name} has no docstring`),
  )
  return {
    problems: [...logger.problems, ...undescribed],
    exported: modules.reduce((sum, { children = [] }) => sum + children.length, 0),
    write: (folder) => app.generateDocs(project, folder),
  }
}
