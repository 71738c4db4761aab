export { type Closeness, closeness, relativeError } from './closeness.ts'
export { type SeededRandom, seededRandom } from './seeded-random.ts'
export { type CloseBounds, toBeClose } from './to-be-close.ts'
