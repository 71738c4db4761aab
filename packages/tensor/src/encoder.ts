import { fail } from './errors.ts'
import type { AnyOp, SlotKind } from './op.ts'

/** How native code is told to treat each tensor of an op: the order of `enum class Use` in native/core/registry.h. */
const uses: Record<SlotKind | 'output', number> = {
  in: 0,
  optional: 1,
  inout: 2,
  optionalInout: 3,
  output: 4,
}

/** Opcode of "run JavaScript here". */
const callOpcode = -1

/** For each compiled op its number of tensors, then their uses; an op unknown to the table has none. */
export function encodeUses(opNames: readonly string[], table: Readonly<Record<string, AnyOp>>): Int32Array {
  const words = opNames.flatMap((name) => {
    const op = table[name]
    if (!op) return [0]
    const slots = Object.values(op.slots as Record<string, SlotKind>).map((kind) => uses[kind])
    return [slots.length + op.outputs.length, ...slots, ...op.outputs.map(() => uses.output)]
  })
  return Int32Array.from(words)
}

/** One op to run: the handles of its slots and outputs (0 for a tensor left out) and its scalars. */
export interface Command {
  readonly op: AnyOp
  readonly handles: readonly number[]
  readonly scalars: readonly number[]
}

/** Writes commands as native code reads them: `[opcode, tensors, scalars, handles…]`, scalars apart. */
export class CommandEncoder {
  readonly #opcodes: ReadonlyMap<string, number>
  #words = new Int32Array(64)
  #scalars = new Float64Array(16)
  #wordCount = 0
  #scalarCount = 0

  constructor(opNames: readonly string[]) {
    this.#opcodes = new Map(opNames.map((name, opcode) => [name, opcode]))
  }

  /** @throws TRIMKV_UNSUPPORTED when the addon was built without the op */
  add({ op, handles, scalars }: Command): void {
    const opcode = this.#opcodes.get(op.name)
    if (opcode === undefined)
      fail('TRIMKV_UNSUPPORTED', `[${op.name}] the native core was built without this op`)
    this.#write(opcode, handles, scalars)
  }

  /** Runs callback `index` at this point. */
  addCall(index: number): void {
    this.#write(callOpcode, [], [index])
  }

  get words(): Int32Array {
    return this.#words.subarray(0, this.#wordCount)
  }

  get scalars(): Float64Array {
    return this.#scalars.subarray(0, this.#scalarCount)
  }

  clear(): void {
    this.#wordCount = 0
    this.#scalarCount = 0
  }

  #write(opcode: number, handles: readonly number[], scalars: readonly number[]): void {
    const wordEnd = this.#wordCount + 3 + handles.length
    const scalarEnd = this.#scalarCount + scalars.length
    if (wordEnd > this.#words.length) this.#words = grown(this.#words, new Int32Array(2 * wordEnd))
    if (scalarEnd > this.#scalars.length)
      this.#scalars = grown(this.#scalars, new Float64Array(2 * scalarEnd))
    this.#words[this.#wordCount] = opcode
    this.#words[this.#wordCount + 1] = handles.length
    this.#words[this.#wordCount + 2] = scalars.length
    this.#words.set(handles, this.#wordCount + 3)
    this.#scalars.set(scalars, this.#scalarCount)
    this.#wordCount = wordEnd
    this.#scalarCount = scalarEnd
  }
}

function grown<A extends Int32Array | Float64Array>(from: A, to: A): A {
  to.set(from)
  return to
}
