// @ts-check
import { existsSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** What a program may pay for a cache with all policies, in bytes of gzip. */
const limit = 30_000

/** Brings the f64 reference of every operator along: for tests, and not of the cache. */
const reference = 'referenceStorage'

/**
 * Bundles `@trimkv/cache` as a program for the browser would: minified, with what it takes from our other packages, built-in
 * modules of Node left out. All that it exports counts, but for its storage in the reference, which is reported beside it.
 * @param {string} root of the workspace, built
 * @param {number} [bytes] the limit
 * @returns {Promise<{ problems: string[], note?: string }>}
 */
export async function checkBundle(root, bytes = limit) {
  const folder = join(root, 'packages/cache')
  if (!existsSync(join(folder, 'dist')))
    return { problems: ['packages/cache: not built, run `pnpm build` first'] }
  const all = await bundle(folder, '*')
  const names = all.exports.filter((name) => name !== reference)
  const cache = await bundle(folder, `{ ${names.join(', ')} }`)
  const note = [
    `@trimkv/cache: ${kilobytes(cache.gzip)} kB gzip of ${kilobytes(bytes)}, ${kilobytes(all.gzip)} with ${reference};`,
    `external: ${cache.external.join(', ') || 'nothing'}`,
  ].join(' ')
  return { problems: cache.gzip > bytes ? [`too large: ${note}`] : [], note }
}

/**
 * @param {string} resolveDir
 * @param {string} names as after `export`
 */
async function bundle(resolveDir, names) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: `export ${names} from '@trimkv/cache'`, resolveDir },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    external: builtinModules.map((name) => `node:${name}`),
    metafile: true,
    write: false,
    logLevel: 'silent',
  })
  const [output] = Object.values(metafile.outputs)
  return {
    gzip: gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length,
    exports: output?.exports ?? [],
    external: (output?.imports ?? []).map(({ path }) => path).sort(),
  }
}

const kilobytes = (/** @type {number} */ bytes) => (bytes / 1000).toFixed(1)
