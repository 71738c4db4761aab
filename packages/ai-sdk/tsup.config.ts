export { default } from '@trimkv/tooling/tsup'
