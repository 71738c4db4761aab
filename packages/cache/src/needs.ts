import { fail, type Ops, type TensorLike } from '@trimkv/tensor'

/** The new tokens of one layer as tensors: B sequences, C tokens each. */
export interface NewTokens<T> {
  readonly layer: number
  /** Key/value heads H. */
  readonly heads: number
  /** [B, C] i32, the tokens' indices in their sequences. */
  readonly index: T
  /** [B, C, Hq, D] f32 */
  readonly q: T
  /** [B, C, H, D] f32 */
  readonly k: T
  /** [B, C, H, D] f32 */
  readonly v: T
  /** [B, C, H] f32, only when the policy needs it. */
  readonly logBeta: T | undefined
  /** Hidden state after the input norm [B, C, W] f32. @throws TRIMKV_POLICY_CONTRACT when it is not declared */
  input(): T
  /** Declared constant, of this layer. @throws TRIMKV_POLICY_CONTRACT when it is not declared */
  constant(name: string): T
}

/** The C new tokens of one sequence and layer as plain numbers. */
export interface HostTokens {
  readonly layer: number
  readonly count: number
  /** Indices in the text [C]. */
  readonly index: Int32Array
  /** Keys of a key/value head [C, D], row-major. */
  keys(head: number): Float32Array
  /** Values of a key/value head [C, D]. */
  values(head: number): Float32Array
  /** Queries of a query head [C, D]. */
  queries(queryHead: number): Float32Array
}

/** Computes a column when tokens are written: one number per token and key/value head. */
export type ColumnWriter =
  | {
      readonly kind: 'ops'
      /** @returns [B, C, H] f32 */
      write<T extends TensorLike>(ops: Ops<T>, tokens: NewTokens<T>): T
    }
  | {
      readonly kind: 'host'
      /** @returns one number per new token */
      write(tokens: HostTokens, head: number): ArrayLike<number>
    }

/** Signals a part reads beside keys, values and positions. What no part declares is never computed nor stored. */
export interface Needs {
  /** Queries of the last so many tokens. */
  readonly window?: number
  /** Column `mass`: attention each slot has received so far, summed over queries, averaged over the group. */
  readonly mass?: boolean
  /** Column `logBeta`: log retention from the model's gates. */
  readonly logBeta?: boolean
  /** Column `outputNorm`: how much a token's value moves the output of its layer, ‖W_o v‖₁, computed by the model. */
  readonly outputNorm?: boolean
  /** The hidden state that queries, keys and values of new tokens are projected from, for columns written over tensor ops. */
  readonly input?: boolean
  /** Queries of the prompt before rotation; only for policies that cut after the prompt. */
  readonly rawQueries?: boolean
  /** Frequencies of the rotary embedding. */
  readonly rotary?: boolean
  /** Tensors from files, by name. */
  readonly constants?: Readonly<Record<string, ConstantSource>>
  /** Further columns, by name. */
  readonly columns?: Readonly<Record<string, ColumnWriter>>
}

/** A tensor of numbers fixed for a model, with one slice per layer. */
export interface ConstantSource {
  /** Path of a safetensors file. */
  readonly file: string
  /** Name of the tensor in it; with `{layer}` in it, one tensor […] for each layer, numbered from 0. */
  readonly tensor: string
  /** [L, …] */
  readonly shape: readonly number[]
}

/** Where a column's values come from. */
export type ColumnSource = { readonly kind: (typeof namedColumns)[number] } | ColumnWriter

/** Columns that the forward fills: each declared by its own field of `Needs`. */
const namedColumns = ['mass', 'logBeta', 'outputNorm'] as const

/** The union of what all parts of a policy need. */
export interface PolicyNeeds {
  readonly window: number | undefined
  readonly columns: Readonly<Record<string, ColumnSource>>
  readonly input?: boolean
  readonly rawQueries?: boolean
  readonly rotary?: boolean
  readonly constants?: Readonly<Record<string, ConstantSource>>
}

function windowOf(policy: string, all: readonly Needs[]): number | undefined {
  const windows = [...new Set(all.flatMap((needs) => needs.window ?? []))]
  if (windows.length > 1) {
    fail('TRIMKV_POLICY_CONTRACT', `[${policy}] parts need windows of ${windows.join(' and ')} queries`, {
      hint: 'give all parts of a policy the same window',
    })
  }
  const [window] = windows
  if (window !== undefined && !(Number.isInteger(window) && window >= 1)) {
    fail('TRIMKV_POLICY_CONTRACT', `[${policy}] needs.window must be an integer ≥ 1, got ${window}`)
  }
  return window
}

/** @throws TRIMKV_POLICY_CONTRACT when parts contradict each other */
export function unionOfNeeds(policy: string, all: readonly Needs[]): PolicyNeeds {
  const columns: Record<string, ColumnSource> = {}
  for (const kind of namedColumns) if (all.some((needs) => needs[kind])) columns[kind] = { kind }
  for (const [name, writer] of all.flatMap((needs) => Object.entries(needs.columns ?? {}))) {
    const named: readonly string[] = namedColumns
    if (named.includes(name) || (columns[name] && columns[name] !== writer)) {
      fail('TRIMKV_POLICY_CONTRACT', `[${policy}] column "${name}" is declared twice`, {
        hint: `${namedColumns.join(', ')} are declared with \`mass: true\` and so on; name other columns otherwise`,
      })
    }
    columns[name] = writer
  }
  const constants = Object.assign({}, ...all.map((needs) => needs.constants)) as PolicyNeeds['constants']
  return {
    window: windowOf(policy, all),
    columns,
    input: all.some((needs) => needs.input),
    rawQueries: all.some((needs) => needs.rawQueries),
    rotary: all.some((needs) => needs.rotary),
    constants: constants ?? {},
  }
}
