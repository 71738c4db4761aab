// @ts-check

/**
 * The one build preset: ESM, types, source maps; workspace packages stay external.
 * @type {import('tsup').Options}
 */
const preset = {
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  // Bundlers know built-in modules by their prefix.
  removeNodeProtocol: false,
  // The types of a sibling come from its dist, as they will for whoever installs the package.
  dts: { compilerOptions: { customConditions: [] } },
  sourcemap: true,
  clean: true,
}

export default preset
