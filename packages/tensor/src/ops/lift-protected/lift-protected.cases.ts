import type { OpCases } from '../../op-case.ts'
import type { ProtectedRange } from '../../slot-score.ts'
import { protectCases } from '../protect/protect.cases.ts'

/** The same tables and ranges: what differs is what becomes of the scores. */
export const liftProtectedCases: OpCases<ProtectedRange> = protectCases
