import { writeZip, type ZipFile } from './zip-writer.ts'

/** Opcodes and their arguments, as bytes. */
export const pickleOf = (...parts: readonly (number | string | Uint8Array)[]): Buffer =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === 'number'
        ? Buffer.of(part)
        : typeof part === 'string'
          ? Buffer.from(part, 'latin1')
          : part,
    ),
  )

export const unicode = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  const head = Buffer.from('X\0\0\0\0', 'latin1')
  head.writeUInt32LE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

const integer = (value: number): Buffer => {
  const bytes = Buffer.from('J\0\0\0\0', 'latin1')
  bytes.writeInt32LE(value, 1)
  return bytes
}

const tuple = (values: readonly number[]): Buffer => pickleOf('(', ...values.map(integer), 't')

export interface TensorPickle {
  readonly type?: string
  readonly key?: string
  readonly elements: number
  readonly offset?: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

/** The pickle of one tensor, as torch writes it. */
export const tensorPickle = ({
  type = 'FloatStorage',
  key = '0',
  elements,
  offset = 0,
  shape,
  strides,
}: TensorPickle): Buffer =>
  pickleOf(
    'ctorch._utils\n_rebuild_tensor_v2\n((',
    unicode('storage'),
    `ctorch\n${type}\n`,
    unicode(key),
    unicode('cpu'),
    integer(elements),
    'tQ',
    integer(offset),
    tuple(shape),
    tuple(strides),
    0x89,
    'ccollections\nOrderedDict\n)RtR',
  )

/** A pickled dictionary from names to pickled values. */
export const dictPickle = (entries: Readonly<Record<string, Uint8Array>>): Buffer =>
  pickleOf(0x80, 2, '}(', ...Object.entries(entries).flatMap(([name, value]) => [unicode(name), value]), 'u.')

/** A file as `torch.save` writes it. */
export const writeTorchFile = (
  pickle: Uint8Array,
  records: Readonly<Record<string, Uint8Array>> = {},
  options: Parameters<typeof writeZip>[1] = {},
): Buffer =>
  writeZip(
    [
      { name: 'archive/data.pkl', data: pickle },
      ...Object.entries(records).map(([name, data]): ZipFile => ({ name: `archive/${name}`, data })),
    ],
    options,
  )

/** The bytes of f32 values. */
export const floats = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(Float32Array.from(values).buffer)
