import { defineConfig } from 'vitest/config'

const conditions = ['@trimkv/source', 'node', 'import', 'module', 'default']

// Siblings are tested from source through the `@trimkv/source` export condition: no build is needed.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tooling/**/*.test.ts', 'e2e/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
