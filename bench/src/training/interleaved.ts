import { type CeilingProbe, type Ceilings, createCeilingProbe, type Device } from '@trimkv/tensor'

/** Medians of what was measured in turns in this process, and the ceilings between them. */
export interface Measured<Name extends string> {
  readonly seconds: Readonly<Record<Name, number>>
  readonly ceilings: Ceilings
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export async function secondsOf(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** Collects ceilings and times of named pieces of work. */
export class Windows implements Disposable {
  readonly #probe: CeilingProbe
  readonly #ceilings: Ceilings[] = []
  readonly #seconds = new Map<string, number[]>()

  constructor(device: Device) {
    this.#probe = createCeilingProbe(device)
  }

  probe(): void {
    this.#ceilings.push(this.#probe.measure())
  }

  add(name: string, seconds: number): void {
    const all = this.#seconds.get(name) ?? []
    this.#seconds.set(name, all)
    all.push(seconds)
  }

  medians<Name extends string>(): Measured<Name> {
    const seconds = [...this.#seconds].map(([name, all]) => [name, median(all)])
    return {
      seconds: Object.fromEntries(seconds) as Record<Name, number>,
      ceilings: {
        flops: median(this.#ceilings.map(({ flops }) => flops)),
        bandwidth: median(this.#ceilings.map(({ bandwidth }) => bandwidth)),
      },
    }
  }

  [Symbol.dispose](): void {
    this.#probe[Symbol.dispose]()
  }
}

/** Runs all pieces in turns, once unmeasured and then `rounds` times. */
export async function interleaved<Name extends string>(
  device: Device,
  pieces: Readonly<Record<Name, () => unknown>>,
  rounds: number,
): Promise<Measured<Name>> {
  using windows = new Windows(device)
  const entries = Object.entries<() => unknown>(pieces)
  for (const [, work] of entries) await work()
  for (let round = 0; round < rounds; round++) {
    windows.probe()
    for (const [name, work] of entries) windows.add(name, await secondsOf(work))
  }
  return windows.medians()
}
