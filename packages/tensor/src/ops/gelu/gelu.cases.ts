import type { OpCases } from '../../op-case.ts'
import { siluCases } from '../silu/silu.cases.ts'

/** The same rows: small and large numbers of both signs. */
export const geluCases: OpCases<Record<never, never>> = siluCases
