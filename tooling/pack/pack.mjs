// @ts-check
// Writes what is published, one tarball per package: node tooling/pack/pack.mjs [folder]
import { statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import semver from 'semver'
import { packPackages, packPlatform } from './pack-packages.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const [folder = join(root, 'dist/packages')] = process.argv.slice(2)
const platform = await packPlatform(root, resolve(folder))
const packed = [platform, ...(await packPackages(root, resolve(folder)))]

/** In the order they are published: who installs a package must find what it asks for. */
for (const { name, file } of packed) {
  const kilobytes = (statSync(file).size / 1000).toFixed(0).padStart(6)
  process.stdout.write(`${kilobytes} kB  ${name.padEnd(28)} ${relative(process.cwd(), file)}\n`)
}
process.stdout.write(`The addon needs glibc ${platform.glibc} or newer.\n`)
if (semver.gt(`${platform.glibc}.0`, `${platform.glibcFloor}.0`)) {
  process.stderr.write(
    `✖ tooling/pack/targets.json promises that glibc ${platform.glibcFloor} is enough: compile on an older system\n`,
  )
  process.exitCode = 1
}
