import { type AnyOp, type Device, type Ops, opTable, type Tensor } from '@trimkv/tensor'

/** What the calls of one op took. */
export interface OpTime {
  readonly name: string
  readonly calls: number
  readonly seconds: number
  /** Of all ops. */
  readonly share: number
  /** By the op's own estimate; 0 where it has none. */
  readonly flops: number
}

interface Entry {
  readonly name: string
  readonly flops: number
}

type UntypedOps = Readonly<Record<string, (inputs: never, attrs: unknown) => unknown>>

/** Times every op of recorded programs where it runs, with a callback before it: some microseconds are the callback's. */
export class OpClock {
  readonly #times = new Map<string, { calls: number; seconds: number; flops: number }>()
  #open: Entry | undefined
  #since = 0

  reset(): void {
    this.#times.clear()
  }

  /** The most costly first. */
  times(): OpTime[] {
    const total = [...this.#times.values()].reduce((sum, { seconds }) => sum + seconds, 0)
    return [...this.#times]
      .map(([name, time]) => ({ name, ...time, share: time.seconds / total }))
      .sort((a, b) => b.seconds - a.seconds)
  }

  /** A device whose programs are timed; they run on the calling thread. */
  watch(device: Device): Device {
    const record = <R>(build: (ops: Ops<Tensor>) => R) => {
      const program = device.record((ops) => {
        const result = build(this.#timed(ops))
        ops.call(() => this.#turn(undefined))
        return result
      })
      return replacing(program, { run: async () => program.runSync() })
    }
    return replacing(device, { record })
  }

  #timed(ops: Ops<Tensor>): Ops<Tensor> {
    const functions = Object.entries(opTable as unknown as Record<string, AnyOp>).map(([name, op]) => [
      name,
      (inputs: never, attrs: unknown = {}) => {
        const flops = op.cost?.(inputs, attrs).flops ?? 0
        ops.call(() => this.#turn({ name, flops }))
        return (ops as unknown as UntypedOps)[name]!(inputs, attrs)
      },
    ])
    return { ...ops, ...Object.fromEntries(functions) }
  }

  /** Ends the op that runs and begins the next. */
  #turn(next: Entry | undefined): void {
    const now = performance.now()
    if (this.#open) {
      const { name, flops } = this.#open
      const time = this.#times.get(name) ?? { calls: 0, seconds: 0, flops: 0 }
      this.#times.set(name, time)
      time.calls++
      time.seconds += (now - this.#since) / 1000
      time.flops += flops
    }
    this.#open = next
    this.#since = performance.now()
  }
}

/** The same object with some of its members replaced. */
const replacing = <T extends object>(target: T, members: Partial<T>): T =>
  new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(key in members ? members : target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
