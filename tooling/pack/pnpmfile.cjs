// The hook that `pnpm pack` calls; pnpm reads it as CommonJS.
module.exports = {
  hooks: {
    beforePacking: async (manifest) => (await import('./published-manifest.mjs')).publishedManifest(manifest),
  },
}
