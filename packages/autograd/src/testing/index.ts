export { type GradcheckOptions, type GradientMismatch, gradcheck } from './gradcheck.ts'
