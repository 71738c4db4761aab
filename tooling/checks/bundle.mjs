// @ts-check
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** What a program may pay for a cache with all policies, in bytes of gzip. */
const limit = 30_000

/**
 * Bundles all that `@trimkv/cache` exports, minified, with what it takes from our other packages; what Node has built in is
 * left out.
 * @param {string} root of the workspace, built
 * @param {number} [bytes] the limit
 * @returns {Promise<{ problems: string[], note?: string }>}
 */
export async function checkBundle(root, bytes = limit) {
  const folder = join(root, 'packages/cache')
  if (!existsSync(join(folder, 'dist')))
    return { problems: ['packages/cache: not built, run `pnpm build` first'] }
  const { outputFiles } = await build({
    stdin: { contents: "export * from '@trimkv/cache'", resolveDir: folder },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'node',
    write: false,
    logLevel: 'silent',
  })
  const gzip = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length
  const note = `@trimkv/cache: ${kilobytes(gzip)} kB gzip of ${kilobytes(bytes)}`
  return { problems: gzip > bytes ? [`too large: ${note}`] : [], note }
}

const kilobytes = (/** @type {number} */ bytes) => (bytes / 1000).toFixed(1)
