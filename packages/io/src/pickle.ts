import { decodeUtf8 } from './json-file.ts'
import { malformed } from './malformed.ts'

/**
 * A value of a pickle. `T` is what the host makes of persistent ids and calls; the machine passes it through.
 * Dictionaries are maps, so no key of a file can reach a prototype.
 */
export type PickleValue<T> =
  | null
  | boolean
  | number
  | string
  | { readonly kind: 'tuple'; readonly items: PickleValue<T>[] }
  | { readonly kind: 'list'; readonly items: PickleValue<T>[] }
  | { readonly kind: 'dict'; readonly entries: Map<string | number, PickleValue<T>> }
  | { readonly kind: 'global'; readonly name: string }
  | { readonly kind: 'made'; readonly value: T }

/** What a pickle may name and call. The machine itself knows no class and no function. */
export interface PickleHost<T> {
  readonly file: string
  /** @throws unless the host knows a global of this name, as `module.name` */
  checkGlobal(name: string, offset: number): void
  /** The value behind a persistent id. */
  load(id: PickleValue<T>, offset: number): PickleValue<T>
  /** The result of calling a global with a tuple of arguments. */
  call(name: string, args: readonly PickleValue<T>[], offset: number): PickleValue<T>
}

/** More than any tensor file needs; a file that passes them is refused, not followed. */
const limits = { stack: 100_000, marks: 1_000, memo: 1_000_000, operations: 4_000_000 }

interface Machine<T> {
  readonly host: PickleHost<T>
  readonly bytes: Buffer
  /** Of the opcode in execution. */
  offset: number
  /** Of the next byte. */
  next: number
  readonly stack: PickleValue<T>[]
  /** Heights of the stack at open marks. */
  readonly marks: number[]
  readonly memo: Map<number, PickleValue<T>>
}

/**
 * Evaluates a pickle with an allow-list of opcodes. Nothing is imported, constructed or called but through `host`; time
 * and memory are linear in the length of the pickle.
 * @throws TrimError `TRIMKV_FORMAT` naming the byte offset, and what `host` throws
 * @see CPython Lib/pickletools.py, the description of the opcodes
 */
export function unpickle<T>(bytes: Buffer, host: PickleHost<T>): PickleValue<T> {
  const machine: Machine<T> = { host, bytes, offset: 0, next: 0, stack: [], marks: [], memo: new Map() }
  for (let done = 0; done < limits.operations; done++) {
    machine.offset = machine.next
    const opcode = readBytes(machine, 1)[0]!
    if (opcode === stopOpcode) {
      if (machine.stack.length !== 1 || machine.marks.length > 0)
        refuse(machine, 'one value at the end', 'more')
      return pop(machine)
    }
    const operation = operations[opcode]
    if (!operation) refuse(machine, 'an opcode of a tensor file', `0x${opcode.toString(16).padStart(2, '0')}`)
    operation(machine)
    checkLimits(machine)
  }
  return refuse(machine, `at most ${limits.operations} operations`, 'more')
}

const stopOpcode = 0x2e

// An operation works on any machine: the values of the host are only passed through.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Operation = (machine: Machine<any>) => void

const operations: Readonly<Record<number, Operation>> = {
  // Protocol and framing.
  0x80: (m) => {
    const protocol = readBytes(m, 1)[0]!
    if (protocol > 5) refuse(m, 'a pickle protocol up to 5', protocol)
  },
  0x95: (m) => {
    const length = readUnsigned64(m)
    if (length > m.bytes.length - m.next) refuse(m, 'a frame inside the pickle', length)
  },

  // Values.
  0x4e: (m) => m.stack.push(null),
  0x88: (m) => m.stack.push(true),
  0x89: (m) => m.stack.push(false),
  0x4a: (m) => m.stack.push(readBytes(m, 4).readInt32LE()),
  0x4b: (m) => m.stack.push(readBytes(m, 1).readUInt8()),
  0x4d: (m) => m.stack.push(readBytes(m, 2).readUInt16LE()),
  0x8a: (m) => m.stack.push(readLong(m)),
  0x47: (m) => m.stack.push(readBytes(m, 8).readDoubleBE()),
  0x8c: (m) => m.stack.push(readString(m, readBytes(m, 1).readUInt8())),
  0x58: (m) => m.stack.push(readString(m, readBytes(m, 4).readUInt32LE())),
  0x8d: (m) => m.stack.push(readString(m, readUnsigned64(m))),

  // Containers.
  0x28: (m) => m.marks.push(m.stack.length),
  0x29: (m) => m.stack.push({ kind: 'tuple', items: [] }),
  0x85: (m) => m.stack.push({ kind: 'tuple', items: popMany(m, 1) }),
  0x86: (m) => m.stack.push({ kind: 'tuple', items: popMany(m, 2) }),
  0x87: (m) => m.stack.push({ kind: 'tuple', items: popMany(m, 3) }),
  0x74: (m) => m.stack.push({ kind: 'tuple', items: popToMark(m) }),
  0x5d: (m) => m.stack.push({ kind: 'list', items: [] }),
  0x61: (m) => append(m, popMany(m, 1)),
  0x65: (m) => append(m, popToMark(m)),
  0x7d: (m) => m.stack.push({ kind: 'dict', entries: new Map() }),
  0x73: (m) => setItems(m, popMany(m, 2)),
  0x75: (m) => setItems(m, popToMark(m)),

  // Memo.
  0x71: (m) => m.memo.set(readBytes(m, 1).readUInt8(), top(m)),
  0x72: (m) => m.memo.set(readBytes(m, 4).readUInt32LE(), top(m)),
  0x94: (m) => m.memo.set(m.memo.size, top(m)),
  0x68: (m) => recall(m, readBytes(m, 1).readUInt8()),
  0x6a: (m) => recall(m, readBytes(m, 4).readUInt32LE()),

  // What the host decides.
  0x63: (m) => pushGlobal(m, readLine(m), readLine(m)),
  0x93: (m) => {
    const [module, name] = popMany(m, 2)
    pushGlobal(m, module, name)
  },
  0x51: (m) => m.stack.push(m.host.load(pop(m), m.offset)),
  0x52: (m) => {
    const [callee, args] = popMany(m, 2)
    if (!isKind(callee, 'global') || !isKind(args, 'tuple')) refuse(m, 'a global and its arguments', 'others')
    m.stack.push(m.host.call(callee.name, args.items, m.offset))
  },
  // Attributes of a state dict (its `_metadata`): they carry no tensor and are dropped.
  0x62: (m) => {
    const [target] = popMany(m, 2)
    if (!isKind(target, 'dict')) refuse(m, 'state of a dictionary only', 'another object')
    m.stack.push(target)
  },
}

type Kind = 'tuple' | 'list' | 'dict' | 'global'

function isKind<K extends Kind>(
  value: PickleValue<unknown> | undefined,
  kind: K,
): value is Extract<PickleValue<unknown>, { kind: K }> {
  return typeof value === 'object' && value !== null && value.kind === kind
}

function checkLimits(m: Machine<unknown>): void {
  if (m.stack.length > limits.stack) refuse(m, `at most ${limits.stack} values on the stack`, 'more')
  if (m.marks.length > limits.marks) refuse(m, `at most ${limits.marks} nested containers`, 'more')
  if (m.memo.size > limits.memo) refuse(m, `at most ${limits.memo} memo entries`, 'more')
}

function refuse(m: Machine<unknown>, expected: string, got: unknown): never {
  return malformed({ file: m.host.file, field: `pickle, byte ${m.offset}`, expected, got })
}

function readBytes(m: Machine<unknown>, length: number): Buffer {
  if (length > m.bytes.length - m.next) refuse(m, `${length} more bytes`, m.bytes.length - m.next)
  m.next += length
  return m.bytes.subarray(m.next - length, m.next)
}

const readString = (m: Machine<unknown>, length: number): string =>
  decodeUtf8(readBytes(m, length), m.host.file, `pickle, byte ${m.offset}`)

function readUnsigned64(m: Machine<unknown>): number {
  const value = readBytes(m, 8).readBigUInt64LE()
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : refuse(m, 'a length below 2^53', value)
}

/** An integer of up to 8 bytes, little-endian, two's complement. */
function readLong(m: Machine<unknown>): number {
  const length = readBytes(m, 1)[0]!
  if (length > 8) refuse(m, 'an integer of at most 8 bytes', length)
  const bytes = readBytes(m, length)
  const magnitude = bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
  const value = BigInt.asIntN(length * 8, magnitude)
  return Number.isSafeInteger(Number(value)) ? Number(value) : refuse(m, 'an integer below 2^53', value)
}

function readLine(m: Machine<unknown>): string {
  const end = m.bytes.indexOf(0x0a, m.next)
  if (end < 0 || end - m.next > 1024) refuse(m, 'a name and a line feed', 'none')
  const line = m.bytes.toString('latin1', m.next, end)
  m.next = end + 1
  return line
}

/** The lowest index the code in execution may touch: what lies below the last mark belongs to others. */
const floor = (m: Machine<unknown>): number => m.marks.at(-1) ?? 0

function popMany<T>(m: Machine<T>, count: number): PickleValue<T>[] {
  if (m.stack.length - count < floor(m)) refuse(m, `${count} values on the stack`, m.stack.length - floor(m))
  return m.stack.splice(m.stack.length - count)
}

const pop = <T>(m: Machine<T>): PickleValue<T> => popMany(m, 1)[0]!

function popToMark<T>(m: Machine<T>): PickleValue<T>[] {
  const mark = m.marks.pop()
  return mark === undefined ? refuse(m, 'an open mark', 'none') : m.stack.splice(mark)
}

function top<T>(m: Machine<T>): PickleValue<T> {
  if (m.stack.length <= floor(m)) refuse(m, 'a value on the stack', 'none')
  return m.stack.at(-1)!
}

function recall<T>(m: Machine<T>, index: number): void {
  const value = m.memo.get(index)
  if (value === undefined) refuse(m, 'a memo entry that was set', index)
  m.stack.push(value)
}

function pushGlobal(m: Machine<unknown>, module: unknown, name: unknown): void {
  if (typeof module !== 'string' || typeof name !== 'string') refuse(m, 'two names', 'other values')
  m.host.checkGlobal(`${module}.${name}`, m.offset)
  m.stack.push({ kind: 'global', name: `${module}.${name}` })
}

function append<T>(m: Machine<T>, items: PickleValue<T>[]): void {
  const list = top(m)
  if (!isKind(list, 'list')) refuse(m, 'a list to append to', 'another value')
  for (const item of items) list.items.push(item)
}

function setItems<T>(m: Machine<T>, items: PickleValue<T>[]): void {
  const dict = top(m)
  if (!isKind(dict, 'dict') || items.length % 2 !== 0) refuse(m, 'a dictionary, keys and values', 'others')
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i]
    if (typeof key !== 'string' && typeof key !== 'number')
      refuse(m, 'a string or a number as key', 'another value')
    if (dict.entries.has(key)) refuse(m, 'every key once', key)
    dict.entries.set(key, items[i + 1]!)
  }
}
