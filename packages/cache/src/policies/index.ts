import type { Policy } from '../policy.ts'
import { adakv } from './adakv.ts'
import { chunkkv } from './chunkkv.ts'
import { criticalkv } from './criticalkv.ts'
import { dbtrimkv } from './dbtrimkv.ts'
import { expectedAttention } from './expected-attention.ts'
import { finch } from './finch.ts'
import { full } from './full.ts'
import { h2o } from './h2o.ts'
import { keydiff } from './keydiff.ts'
import { knorm } from './knorm.ts'
import { kvzap } from './kvzap.ts'
import { lagkv } from './lagkv.ts'
import { pyramidkv } from './pyramidkv.ts'
import { qFilters } from './q-filters.ts'
import { rKv } from './r-kv.ts'
import { random } from './random.ts'
import { snapkv } from './snapkv.ts'
import { streaming } from './streaming.ts'
import { tova } from './tova.ts'
import { trimkv } from './trimkv.ts'

/** Every built-in policy, by name. Adding one: its file, its three lines here. */
export type PolicyTable = {
  readonly full: Policy
  readonly streaming: Policy
  readonly h2o: Policy
  readonly snapkv: Policy
  readonly trimkv: Policy
  readonly dbtrimkv: Policy
  readonly 'r-kv': Policy
  readonly keydiff: Policy
  readonly tova: Policy
  readonly knorm: Policy
  readonly adakv: Policy
  readonly random: Policy
  readonly pyramidkv: Policy
  readonly chunkkv: Policy
  readonly criticalkv: Policy
  readonly 'expected-attention': Policy
  readonly lagkv: Policy
  readonly finch: Policy
  readonly 'q-filters': Policy
  readonly kvzap: Policy
}

/** The name of a built-in policy. */
export type PolicyName = keyof PolicyTable

/** The built-in policies, by name. */
export const policies: PolicyTable = {
  full,
  streaming,
  h2o,
  snapkv,
  trimkv,
  dbtrimkv,
  'r-kv': rKv,
  keydiff,
  tova,
  knorm,
  adakv,
  random,
  pyramidkv,
  chunkkv,
  criticalkv,
  'expected-attention': expectedAttention,
  lagkv,
  finch,
  'q-filters': qFilters,
  kvzap,
}
