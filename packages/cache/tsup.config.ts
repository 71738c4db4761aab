import { preset } from '@trimkv/tooling/tsup'

export default preset()
