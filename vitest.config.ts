import { defineConfig, type ViteUserConfig } from 'vitest/config'

const conditions = ['@trimkv/source', 'node', 'import', 'module', 'default']

// Siblings are tested from source through the `@trimkv/source` export condition: no build is needed.
const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      '{packages,apps}/*/{src,test}/**/*.test.ts',
      '{e2e,bench}/**/*.test.ts',
      'tooling/**/*.test.mjs',
    ],
    pool: 'forks',
    // Else one core is left to the runner, which needs little: half of a machine with two.
    maxWorkers: '100%',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    allowOnly: false,
  },
})

export default config
