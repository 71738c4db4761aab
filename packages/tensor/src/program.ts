import { fail } from './errors.ts'
import type { NativeDevice } from './native-device.ts'
import { createOps, type Ops } from './ops.ts'
import { type Recorded, Recorder } from './recorder.ts'
import type { Tensor } from './tensor.ts'

/** Frees programs that were never disposed; their tensors have a backstop of their own. */
const forgotten = new FinalizationRegistry<() => void>((free) => free())

/**
 * A recorded sequence of ops that can be run again and again without allocating: intermediates share one slab.
 * Runs are queued on the device's engine thread and do not block the event loop.
 */
export class Program<R> implements Disposable {
  /** What the recording returned. Its tensors hold the values of the last run until the next one. */
  readonly result: R
  /** Bytes of the slab and of the zeros made while recording. */
  readonly bytes: number
  readonly #device: NativeDevice
  readonly #recorded: Recorded
  #running = 0
  #isDisposed = false

  /** @internal See `Device.record`. */
  constructor(device: NativeDevice, result: R, recorded: Recorded) {
    this.#device = device
    this.#recorded = recorded
    this.result = result
    this.bytes = recorded.bytes
    const { id } = recorded
    forgotten.register(this, () => device.disposeProgram(id), this)
  }

  /**
   * Runs the program after all runs that were asked for before.
   * @throws (as a rejection) `signal.reason` when aborted: ops already done stay done, in-place tensors included;
   *   what a `call` has thrown; TRIMKV_* when an op finds its data invalid
   */
  run(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(reasonOf(signal))
      const calls = this.#calls()
      const abort = (): void => this.#device.abortRun(run)
      const run = this.#device.runProgram(this.#recorded.id, calls.onCall, (failure) => {
        this.#running--
        signal?.removeEventListener('abort', abort)
        if (failure === undefined) resolve()
        else if (calls.thrown) reject(calls.thrown.value)
        else reject(signal?.aborted ? reasonOf(signal, failure) : failure)
      })
      this.#running++
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /**
   * Runs the program on this thread and blocks until it is done.
   * @throws TRIMKV_DEVICE while a `run` is under way; what a `call` has thrown; TRIMKV_* when an op finds its data invalid
   */
  runSync(): void {
    if (this.#running > 0)
      fail('TRIMKV_DEVICE', '[program] runSync while a run is under way', { hint: 'await the run first' })
    const calls = this.#calls()
    this.#running++
    try {
      this.#device.runProgramSync(this.#recorded.id, calls.onCall)
    } catch (error) {
      throw calls.thrown ? calls.thrown.value : error
    } finally {
      this.#running--
    }
  }

  /** Frees the program and the tensors of its result. Runs under way finish. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    forgotten.unregister(this)
    this.#device.disposeProgram(this.#recorded.id)
    for (const tensor of this.#recorded.owned) tensor[Symbol.dispose]()
  }

  /** Callbacks for one run: native code hears whether they worked, what they threw stays here. */
  #calls(): { readonly onCall: (index: number) => boolean; thrown?: { readonly value: unknown } } {
    const calls: { onCall: (index: number) => boolean; thrown?: { value: unknown } } = {
      onCall: (index) => {
        try {
          const returned: unknown = this.#recorded.callbacks[index]?.()
          if (returned instanceof Promise)
            fail('TRIMKV_OPTION', '[call] the function returned a promise', { hint: 'make it synchronous' })
          return true
        } catch (value) {
          calls.thrown = { value }
          return false
        }
      },
    }
    return calls
  }
}

const reasonOf = (signal: AbortSignal, otherwise?: unknown): unknown => signal.reason ?? otherwise

/** Records what `build` does with the ops it is given. */
export function recordProgram<R>(device: NativeDevice, build: (ops: Ops<Tensor>) => R): Program<R> {
  const recorder = new Recorder(device)
  try {
    const result = build(createOps(recorder))
    if (result instanceof Promise)
      fail('TRIMKV_OPTION', '[record] the function returned a promise', { hint: 'make it synchronous' })
    return new Program(device, result, recorder.finish(result))
  } catch (error) {
    recorder.discard()
    throw error
  }
}
