import { defineConfig, type Options } from 'tsup'

/** The one build preset: ESM, types, source maps, workspace packages left external. */
export const preset = (options: Options = {}): ReturnType<typeof defineConfig> =>
  defineConfig({
    entry: ['src/index.ts'],
    format: ['esm'],
    target: 'es2022',
    platform: 'node',
    dts: { compilerOptions: { customConditions: [] } },
    sourcemap: true,
    clean: true,
    splitting: true,
    ...options,
  })
