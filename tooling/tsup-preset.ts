import type { Options } from 'tsup'

/** The one build preset: ESM, types, source maps; workspace packages stay external. */
const preset: Options = {
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  dts: { compilerOptions: { customConditions: [] } },
  sourcemap: true,
  clean: true,
}

export default preset
