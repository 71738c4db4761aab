export {
  type ConformanceOptions,
  type Finding,
  type PolicyCheck,
  policyChecks,
  policyConformance,
} from './policy-conformance.ts'
export { referenceStorage } from './reference-storage.ts'
export {
  type FeedTarget,
  type ForwardResult,
  referenceTestBackend,
  runForward,
  type TestBackend,
} from './run-forward.ts'
export { seededTokens, type TokenSource } from './token-source.ts'
