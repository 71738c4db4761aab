import {
  createKvCache,
  deviceStorage,
  type KvArena,
  type KvCache,
  policyConstants,
  type SeatRange,
  type StepPlan,
} from '@trimkv/cache'
import { decoderForward, decoderLogits, ropeParameters } from '@trimkv/models'
import { fail, type Ops, type Program, scope, type Tensor } from '@trimkv/tensor'
import type { Model } from '../load-model.ts'
import { type CacheSettings, cacheShape } from './cache-options.ts'
import { PolicyConstants } from './policy-constants.ts'
import { ProgramCache } from './program-cache.ts'

/** Programs kept recorded: one for decoding, one per kind of cut, a few while the batch shrinks. */
const recordedPrograms = 16

/** Rows of logits held at once while log-probabilities are taken. */
const logitRows = 32

/** What a forward gives back: nothing, logits of each seat's last token, of every token, or log-probabilities. */
export type ForwardOutput =
  | { readonly kind: 'none' | 'last' | 'all' }
  | {
      readonly kind: 'logProbs' /** Row-major, one target per new token. */
      readonly targets: readonly number[]
    }

/** New tokens for some seats, and what is wanted of them. */
export interface ForwardRequest {
  /** Ids of the new tokens, one list per seat of `seats`, all of one length. */
  readonly ids: readonly (readonly number[])[]
  /** Default: all seats. */
  readonly seats?: SeatRange
  /** The ids are the whole prompt. */
  readonly whole?: boolean
  readonly output: ForwardOutput
  readonly signal?: AbortSignal | undefined
  /** Where `values` of 'last' or 'all' go, of their size; default a new array. */
  readonly into?: Float32Array | undefined
}

/** What one forward gave. */
export interface ForwardResult {
  /** [rows, vocab] for 'last' and 'all', [rows] for 'logProbs', row-major; empty for 'none' */
  readonly values: Float32Array
  /** Only when tracing: log β [C, H] per layer of a single seat; empty when the model has no gates. */
  readonly logBeta: readonly Float32Array[]
  /** Whether a seat was over its budget after this forward. */
  readonly evicted: boolean
  /** How long it took, cuts and reading the values included. */
  readonly ms: number
  /** Only when tracing: ratings [H, slots] per layer when the forward evicted; to be called before the next forward. */
  readonly scores: () => readonly (Float32Array | undefined)[]
}

export interface SessionOptions extends CacheSettings {
  /** Sequences side by side. */
  readonly batch: number
  /** Tokens of the longest sequence when it ends. */
  readonly maxTokens: number
  /** Take memory for `maxTokens` page by page, as it is used. */
  readonly grows?: boolean
  /** Keep log β and ratings readable. */
  readonly trace?: boolean
}

/** Tensors that are written before a program runs. */
interface Inputs {
  readonly ids: Tensor
  readonly positions: Tensor
  readonly index: Tensor
  readonly seen: Tensor
  readonly targets: Tensor | undefined
}

function disposeInputs(inputs: Inputs): void {
  for (const tensor of Object.values(inputs) as (Tensor | undefined)[]) tensor?.[Symbol.dispose]()
}

interface Outputs {
  readonly values: readonly Tensor[]
  readonly logBeta: readonly Tensor[]
  readonly scores: readonly (Tensor | undefined)[]
}

class ForwardProgram implements Disposable {
  readonly inputs: Inputs
  readonly program: Program<Outputs>

  constructor(inputs: Inputs, program: Program<Outputs>) {
    this.inputs = inputs
    this.program = program
  }

  [Symbol.dispose](): void {
    this.program[Symbol.dispose]()
    disposeInputs(this.inputs)
  }
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Runs of neighbouring seats that pin the same number of tokens. */
function samePins(cache: KvArena<Tensor>, { first, count }: SeatRange): SeatRange[] {
  const runs: { first: number; count: number }[] = []
  const pinOf = (seat: number): number => cache.seatAccess(seat).state.pinned
  for (let seat = first; seat < first + count; seat++) {
    const last = runs.at(-1)
    if (last && pinOf(last.first) === pinOf(seat)) last.count++
    else runs.push({ first: seat, count: 1 })
  }
  return runs
}

const readFloats = (tensor: Tensor): Float32Array => tensor.read() as Float32Array

/**
 * A batch of sequences that one model reads into one cache. Forwards are recorded once per shape and run off the
 * JavaScript thread. After a forward that failed or was aborted, what its seats hold is undefined: `begin` them anew.
 */
export class DecoderSession implements Disposable {
  readonly model: Model
  readonly cache: KvArena<Tensor>
  readonly options: SessionOptions
  readonly #constants: PolicyConstants
  readonly #programs = new ProgramCache<ForwardProgram>(recordedPrograms)
  /** [batch, rope.rotaryDim / 2] */
  readonly #invFreq: Tensor
  #ropeScale = 1
  #fresh = true

  /**
   * @throws TRIMKV_OPTION, TRIMKV_BUDGET_TOO_SMALL, TRIMKV_POLICY_CONTRACT, TRIMKV_GATES_MISMATCH, TRIMKV_OUT_OF_MEMORY; nothing
   *   is left behind
   */
  constructor(model: Model, options: SessionOptions) {
    this.model = model
    this.options = options
    const { policy, policyOptions, budget, mode, kvDtype, batch, maxTokens, grows } = options
    const shape = cacheShape(model.spec)
    const named = policyConstants({ policy, options: policyOptions, budget, mode, shape })
    const made: Disposable[] = []
    try {
      this.#constants = new PolicyConstants(model.device, named)
      made.push(this.#constants)
      this.cache = createKvCache({
        storage: deviceStorage(model.device),
        shape,
        constants: this.#constants.tensors,
        policy,
        options: policyOptions,
        budget,
        mode,
        batch,
        kvDtype,
        capacity: grows ? { limit: maxTokens } : maxTokens,
      })
      made.push(this.cache)
      this.#invFreq = model.device.zeros({ dtype: 'f32', shape: [batch, model.spec.rope.rotaryDim / 2] })
    } catch (error) {
      for (const part of made) part[Symbol.dispose]()
      throw error
    }
  }

  /**
   * Empties a seat for a sequence. Rotary factors are chosen here, once per sequence.
   * @param totalTokens tokens of the sequence when it ends: the prompt and all tokens to come
   * @param pin first tokens that are never evicted; default: option `pin`
   * @throws TRIMKV_BUDGET_TOO_SMALL when the budget does not hold the pinned tokens
   */
  begin(seat: number, totalTokens: number, pin: number = this.options.pin): void {
    const { invFreq, scale } = ropeParameters(this.model.spec.rope, totalTokens)
    if (!this.#fresh) this.cache.reset(seat)
    this.cache.pin(seat, pin)
    this.#writeRotary(seat, invFreq)
    this.#ropeScale = scale
  }

  /** Rotary factors of a sequence [rotaryDim / 2], to be carried to where it goes on. */
  rotary(seat: number): Float32Array {
    using row = this.#rotaryRow(seat)
    return row.read() as Float32Array
  }

  /** Takes over a sequence that was put into a seat of the cache from elsewhere, instead of `begin`. */
  adopt(seat: number, rotary: Float32Array): void {
    this.#writeRotary(seat, rotary)
    // The scale is the same for all lengths of a model.
    this.#ropeScale = ropeParameters(this.model.spec.rope, 1).scale
    this.#fresh = false
  }

  #writeRotary(seat: number, invFreq: Float32Array): void {
    using row = this.#rotaryRow(seat)
    row.write(invFreq)
  }

  #rotaryRow(seat: number): Tensor {
    return this.model.device.ops.slice(this.#invFreq, { axis: 0, start: seat, length: 1 })
  }

  /**
   * Reads new tokens into the cache.
   * @throws before anything runs TRIMKV_TOKEN_RANGE, TRIMKV_SHAPE when `into` has another size than the logits, TRIMKV_OPTION
   *   when there are none; `signal.reason` when aborted
   */
  async forward(request: ForwardRequest): Promise<ForwardResult> {
    const { ids, output, signal, into, whole = false } = request
    const seats = request.seats ?? { first: 0, count: this.cache.batch }
    signal?.throwIfAborted()
    const started = performance.now()
    await this.#constants.load()
    this.#checkIds(ids)
    this.#checkInto(request)
    const apart = samePins(this.cache, seats)
    if (apart.length > 1) return this.#forwardApart(request, { seats, apart })
    const plan = this.cache.plan({ seats, newTokens: ids[0]!.length, whole })
    this.#fresh = false
    const key = `${plan.newTokens} new, ${output.kind}, ${plan.key}`
    const { inputs, program } = this.#programs.get(key, () => this.#record(plan, output.kind))
    this.#fill(inputs, ids, plan)
    if (output.kind === 'logProbs') inputs.targets!.write(output.targets)
    await program.run(signal ? { signal } : {})
    this.cache.commit(plan)
    const { values, logBeta, scores } = program.result
    return {
      values: into ? values[0]!.readInto(into) : concatenated(values.map(readFloats)),
      logBeta: logBeta.map(readFloats),
      evicted: plan.due.includes(true),
      ms: performance.now() - started,
      scores: () => scores.map((tensor) => tensor && readFloats(tensor)),
    }
  }

  /** Sequences that pin different numbers of tokens are read one run of equals after the other. */
  async #forwardApart(
    request: ForwardRequest,
    { seats, apart }: { readonly seats: SeatRange; readonly apart: readonly SeatRange[] },
  ): Promise<ForwardResult> {
    const results: ForwardResult[] = []
    const { ids, output, into } = request
    const width = (into?.length ?? 0) / seats.count
    for (const part of apart) {
      const start = part.first - seats.first
      const end = start + part.count
      const perSeat = ids[0]!.length
      results.push(
        await this.forward({
          ...request,
          seats: part,
          ids: ids.slice(start, end),
          into: into?.subarray(start * width, end * width),
          output:
            output.kind === 'logProbs'
              ? { ...output, targets: output.targets.slice(start * perSeat, end * perSeat) }
              : output,
        }),
      )
    }
    return {
      values: into ?? concatenated(results.map(({ values }) => values)),
      logBeta: [],
      evicted: results.some(({ evicted }) => evicted),
      ms: results.reduce((sum, { ms }) => sum + ms, 0),
      scores: () => [],
    }
  }

  /** Frees programs that read several tokens at once; they hold the memory of a whole chunk. */
  endPrefill(): void {
    this.#programs.drop((key) => !key.startsWith('1 new,'))
  }

  #checkIds(ids: readonly (readonly number[])[]): void {
    const { vocabSize } = this.model.spec
    for (const id of ids.flat()) {
      if (Number.isInteger(id) && id >= 0 && id < vocabSize) continue
      fail('TRIMKV_TOKEN_RANGE', `Token id ${id} is outside the vocabulary`, {
        why: [`the model knows ids 0 … ${vocabSize - 1}`],
        details: { id, vocabSize },
      })
    }
  }

  #checkInto({ ids, output, into }: ForwardRequest): void {
    if (!into) return
    const { kind } = output
    if (kind !== 'last' && kind !== 'all')
      fail('TRIMKV_OPTION', `a forward with output '${kind}' has no logits to put into an array`)
    const rows = ids.length * (kind === 'all' ? ids[0]!.length : 1)
    const count = rows * this.model.spec.vocabSize
    if (into.length === count) return
    fail('TRIMKV_SHAPE', `logits of ${count} numbers cannot be put into an array of ${into.length}`)
  }

  #fill(inputs: Inputs, ids: readonly (readonly number[])[], plan: StepPlan): void {
    const { positionOffset } = this.options
    const { slotPositions } = this.cache.needs
    const index = ids.flatMap((list, row) => list.map((_, c) => plan.before[row]!.seen + c))
    inputs.ids.write(ids.flat())
    inputs.index.write(index)
    const places = slotPositions
      ? ids.flatMap((list, row) => list.map((_, c) => plan.before[row]!.stored + c))
      : index
    inputs.positions.write(places.map((i) => i + positionOffset))
    inputs.seen.write(plan.after.map((seat) => seat.seen))
  }

  #inputs(plan: StepPlan, kind: ForwardOutput['kind']): Inputs {
    const { device } = this.model
    const { seats, newTokens } = plan
    const empty = (...shape: number[]): Tensor => device.empty({ dtype: 'i32', shape })
    const rows = seats.count * newTokens
    return scope(() => ({
      ids: empty(rows),
      positions: empty(rows),
      index: empty(seats.count, newTokens),
      seen: empty(seats.count),
      targets: kind === 'logProbs' ? empty(rows) : undefined,
    }))
  }

  #record(plan: StepPlan, kind: ForwardOutput['kind']): ForwardProgram {
    const inputs = this.#inputs(plan, kind)
    try {
      return new ForwardProgram(
        inputs,
        this.model.device.record((ops) => this.#build(ops, { plan, kind, inputs })),
      )
    } catch (error) {
      disposeInputs(inputs)
      throw error
    }
  }

  #build(ops: Ops<Tensor>, step: { plan: StepPlan; kind: ForwardOutput['kind']; inputs: Inputs }): Outputs {
    const { plan, kind, inputs } = step
    const { decoder } = this.model
    const { first, count } = plan.seats
    const traced = this.options.trace === true
    const invFreq = ops.slice(this.#invFreq, { axis: 0, start: first, length: count })
    const rotary = { invFreq, scale: this.#ropeScale, offset: this.options.positionOffset }
    const bound = this.cache.bind(ops, plan, { ...inputs, rated: traced, rotary })
    const cache: KvCache<Tensor> =
      traced && decoder.gates
        ? { needs: { ...bound.needs, logBeta: true }, attend: (layer, tokens) => bound.attend(layer, tokens) }
        : bound
    const { ids, positions } = inputs
    const { logits, hidden, logBeta } = decoderForward(ops, decoder, {
      inputs: { ids, positions, invFreq, ropeScale: this.#ropeScale, batch: count },
      cache,
      logits: kind === 'last' || kind === 'all' ? kind : 'none',
    })
    const values = logits ? [logits] : inputs.targets ? this.#logProbs(ops, hidden, inputs.targets) : []
    return { values, logBeta: traced ? logBeta : [], scores: traced ? bound.scores : [] }
  }

  /** Log-probabilities of targets, a few rows at a time: logits of a whole chunk would be larger than the model. */
  #logProbs(ops: Ops<Tensor>, hidden: Tensor, targets: Tensor): Tensor[] {
    const rows = hidden.shape[0]!
    return Array.from({ length: Math.ceil(rows / logitRows) }, (_, block) => {
      const range = {
        axis: 0,
        start: block * logitRows,
        length: Math.min(logitRows, rows - block * logitRows),
      }
      const logits = decoderLogits(ops, this.model.decoder, ops.slice(hidden, range))
      return ops.tokenLogProb({ logits, targets: ops.slice(targets, range) })
    })
  }

  [Symbol.dispose](): void {
    this.#programs[Symbol.dispose]()
    this.#invFreq[Symbol.dispose]()
    this.cache[Symbol.dispose]()
    this.#constants[Symbol.dispose]()
  }
}
