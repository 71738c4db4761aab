import preset from '@trimkv/tooling/tsup'

const config: typeof preset = { ...preset, entry: ['src/index.ts', 'src/testing/index.ts'] }

export default config
