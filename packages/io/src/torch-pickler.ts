import { fail } from '@trimkv/tensor'
import { type FileDtype, fileDtypeOf, safeElementCount } from './tensor-listing.ts'
import type { TensorToWrite } from './tensor-to-write.ts'
import { orderedDict, rebuildTensor, storageDtypes } from './torch-pickle.ts'

/** The pickle module of CPython closes a group of entries after this many. */
const batchSize = 1000
const largestInteger = 2 ** 31 - 1

/** Writes opcodes of protocol 2 as CPython does, which numbers every object it has written, to name it again. */
interface Pickler {
  readonly parts: Buffer[]
  /** How often a number was given out. */
  memoized: number
  /** Texts and globals that are one object in Python however often they are used. */
  readonly shared: Map<string, number>
}

type NamedTensor = readonly [name: string, tensor: TensorToWrite]

/**
 * The pickle of a dictionary of contiguous tensors, each with a storage of its own, keyed 0, 1, … in this order: the bytes
 * that `torch.save` writes for it.
 * @throws TrimError `TRIMKV_UNSUPPORTED` for a size from 2³¹ on
 * @see CPython Modules/_pickle.c, batch_dict_exact and save_long; torch/_tensor.py, `_reduce_ex_internal`
 */
export function pickleTensors(tensors: readonly NamedTensor[]): Buffer {
  const p: Pickler = { parts: [], memoized: 0, shared: new Map() }
  raw(p, 0x80, 2)
  raw(p, '}')
  memoize(p)
  if (tensors.length === 1) {
    putEntry(p, tensors[0]!, 0)
    raw(p, 's')
  } else if (tensors.length > 1) {
    // A last full group is followed by an empty one, since it is its size that says whether more come.
    for (let start = 0; start <= tensors.length; start += batchSize) {
      raw(p, '(')
      tensors.slice(start, start + batchSize).forEach((entry, i) => {
        putEntry(p, entry, start + i)
      })
      raw(p, 'u')
    }
  }
  raw(p, '.')
  return Buffer.concat(p.parts)
}

function putEntry(p: Pickler, [name, { dtype, shape }]: NamedTensor, key: number): void {
  putText(p, name)
  putGlobal(p, rebuildTensor)
  raw(p, '(')
  putStorage(p, { fileDtype: fileDtypeOf[dtype], key, elementCount: safeElementCount(shape)! })
  putInteger(p, 0)
  putTuple(p, shape)
  putTuple(p, stridesOf(shape))
  raw(p, 0x89)
  putGlobal(p, orderedDict)
  raw(p, ')R')
  memoize(p)
  raw(p, 't')
  memoize(p)
  raw(p, 'R')
  memoize(p)
}

function putStorage(
  p: Pickler,
  { fileDtype, key, elementCount }: { fileDtype: FileDtype; key: number; elementCount: number },
): void {
  raw(p, '(')
  once(p, 'storage', putText)
  putGlobal(p, Object.keys(storageDtypes).find((name) => storageDtypes[name] === fileDtype)!)
  putText(p, String(key))
  once(p, 'cpu', putText)
  putInteger(p, elementCount)
  raw(p, 't')
  memoize(p)
  raw(p, 'Q')
}

/** Those of a contiguous tensor; an empty axis counts as one. */
function stridesOf(shape: readonly number[]): number[] {
  const strides: number[] = []
  let stride = 1
  for (const size of shape.toReversed()) {
    strides.unshift(stride)
    stride *= Math.max(size, 1)
  }
  return strides
}

const tupleOpcodes = [0x29, 0x85, 0x86, 0x87]

function putTuple(p: Pickler, values: readonly number[]): void {
  const short = tupleOpcodes[values.length]
  if (short === undefined) raw(p, '(')
  for (const value of values) putInteger(p, value)
  raw(p, short ?? 't')
  if (values.length > 0) memoize(p)
}

function putInteger(p: Pickler, value: number): void {
  if (value > largestInteger) {
    fail('TRIMKV_UNSUPPORTED', `a torch file cannot hold a size of ${value} here`, {
      why: [`expected at most ${largestInteger}`],
    })
  }
  if (value <= 0xff) raw(p, 'K', value)
  else if (value <= 0xffff) raw(p, 'M', value & 0xff, value >> 8)
  else raw(p, 'J', unsigned32(value))
}

function putText(p: Pickler, text: string): void {
  const bytes = Buffer.from(text)
  raw(p, 'X', unsigned32(bytes.length), bytes)
  memoize(p)
}

const putGlobal = (p: Pickler, name: string): void =>
  once(p, name, () => {
    const dot = name.lastIndexOf('.')
    raw(p, `c${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`)
    memoize(p)
  })

function once(p: Pickler, value: string, put: (p: Pickler, value: string) => void): void {
  const known = p.shared.get(value)
  if (known === undefined) {
    p.shared.set(value, p.memoized)
    put(p, value)
  } else if (known <= 0xff) raw(p, 'h', known)
  else raw(p, 'j', unsigned32(known))
}

function memoize(p: Pickler): void {
  const index = p.memoized++
  if (index <= 0xff) raw(p, 'q', index)
  else raw(p, 'r', unsigned32(index))
}

function raw(p: Pickler, ...parts: readonly (number | string | Buffer)[]): void {
  for (const part of parts) {
    if (typeof part === 'number') p.parts.push(Buffer.of(part))
    else p.parts.push(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
  }
}

function unsigned32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
