import { readFileSync } from 'node:fs'

interface Times {
  readonly busy: number
  readonly all: number
}

/** Ticks of all processors since the start of the machine; time taken by the hypervisor counts as busy. */
function machineTimes(): Times {
  const [user, nice, system, idle, ioWait, irq, softIrq, steal] = readFileSync('/proc/stat', 'utf8')
    .slice(5)
    .trim()
    .split(/\s+/)
    .map(Number) as [number, number, number, number, number, number, number, number]
  const busy = user + nice + system + irq + softIrq + steal
  return { busy, all: busy + idle + ioWait }
}

/** Ticks of this process and of the children it waited for. */
function ownTicks(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  // The name in parentheses may hold spaces; user time is the 12th field after it, then system and the children's two.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0)
}

/** How busy the machine is with other things: figures taken beside them say little. Linux only. */
export class OtherWork {
  readonly #machine = machineTimes()
  readonly #own = ownTicks()

  /** Of the time of all processors since this object was made. */
  share(): number {
    const { busy, all } = machineTimes()
    return (
      Math.max(0, busy - this.#machine.busy - (ownTicks() - this.#own)) / Math.max(1, all - this.#machine.all)
    )
  }
}
