import { join } from 'node:path'
import {
  FieldBytes,
  type FuzzTarget,
  fuzzTarget,
  mutateBytes,
  pick,
  type SeededRandom,
} from '@trimkv/testing'
import { openGguf } from '../../src/gguf/gguf.ts'
import { readStored } from '../../src/weight-rows.ts'

const valueTypes = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10 } as const

const text = (file: FieldBytes, value: string): FieldBytes =>
  file.number(8, Buffer.byteLength(value)).bytes(value)

const float = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}

/** Writes one metadata value. */
type Entry = (file: FieldBytes) => void

const key = (file: FieldBytes, name: string, type: number): FieldBytes => text(file, name).number(4, type)
const list = (file: FieldBytes, { name, type, length }: { name: string; type: number; length: number }) =>
  key(file, name, valueTypes.array).number(4, type).number(8, length)

const entry = {
  number:
    (name: string, value: number): Entry =>
    (file) =>
      key(file, name, valueTypes.u32).number(4, value),
  float:
    (name: string, value: number): Entry =>
    (file) =>
      key(file, name, valueTypes.f32).bytes(float(value)),
  bool:
    (name: string, value: boolean): Entry =>
    (file) =>
      key(file, name, valueTypes.bool).number(1, Number(value)),
  text:
    (name: string, value: string): Entry =>
    (file) =>
      text(key(file, name, valueTypes.string), value),
  texts:
    (name: string, values: readonly string[]): Entry =>
    (file) => {
      list(file, { name, type: valueTypes.string, length: values.length })
      for (const value of values) text(file, value)
    },
  integers:
    (name: string, values: readonly number[]): Entry =>
    (file) => {
      list(file, { name, type: valueTypes.i32, length: values.length })
      for (const value of values) file.number(4, value)
    },
  floats:
    (name: string, values: readonly number[]): Entry =>
    (file) => {
      list(file, { name, type: valueTypes.f32, length: values.length })
      for (const value of values) file.bytes(float(value))
    },
}

const architectures = ['qwen3', 'llama'] as const

/** What a small model says of itself. */
function sizesOf(architecture: (typeof architectures)[number]): Entry[] {
  const sizes = {
    context_length: 64,
    embedding_length: 32,
    block_count: 1,
    feed_forward_length: 32,
    'attention.head_count': 2,
    'attention.head_count_kv': 1,
    'attention.key_length': 16,
    'attention.value_length': 16,
  }
  return [
    entry.text('general.architecture', architecture),
    ...Object.entries(sizes).map(([name, value]) => entry.number(`${architecture}.${name}`, value)),
    entry.float(`${architecture}.attention.layer_norm_rms_epsilon`, 1e-6),
    entry.float(`${architecture}.rope.freq_base`, 1e4),
  ]
}

function byteLevel(random: SeededRandom): Entry[] {
  const tokens = Array.from({ length: random.int(1, 20) }, (_, i) => String.fromCodePoint(97 + i))
  const types = tokens.map(() => 1)
  return [
    entry.text('tokenizer.ggml.model', 'gpt2'),
    entry.text('tokenizer.ggml.pre', 'qwen2'),
    entry.texts('tokenizer.ggml.tokens', tokens),
    entry.integers('tokenizer.ggml.token_type', types),
    entry.texts('tokenizer.ggml.merges', ['a b']),
    entry.number('tokenizer.ggml.eos_token_id', 1),
  ]
}

const pieces = ['a', 'b', '▁', 'é', '😀', 'ab'] as const

/** Tokens put together from a few characters, some longer than any that SentencePiece makes. */
function sentencePiece(random: SeededRandom): Entry[] {
  const made = Array.from({ length: random.int(1, 30) }, () =>
    Array.from({ length: random.int(1, 5) }, () => pick(random, pieces)).join(''),
  )
  const long = random.next() < 0.2 ? ['a'.repeat(random.int(16, 2000))] : []
  const tokens = ['<unk>', '<s>', '</s>', '<0x0A>', ...pieces, ...made, ...long]
  const types = tokens.map((_, id) => [2, 3, 3, 6][id] ?? 1)
  const scores = tokens.map(() => -random.int(0, 20))
  return [
    entry.text('tokenizer.ggml.model', 'llama'),
    entry.texts('tokenizer.ggml.tokens', tokens),
    entry.integers('tokenizer.ggml.token_type', types),
    entry.floats('tokenizer.ggml.scores', scores),
    entry.bool('tokenizer.ggml.add_space_prefix', random.next() < 0.5),
    entry.number('tokenizer.ggml.bos_token_id', 1),
    entry.number('tokenizer.ggml.eos_token_id', 2),
    entry.number('tokenizer.ggml.eot_token_id', random.int(0, 3)),
  ]
}

/** Number and bytes per 32 elements of the element types that are read. */
const types = [
  { id: 0, bytes: 128 },
  { id: 1, bytes: 64 },
  { id: 30, bytes: 64 },
  { id: 8, bytes: 34 },
  { id: 2, bytes: 18 },
]

const tensorNames = [
  'token_embd.weight',
  'output_norm.weight',
  ...[
    'attn_norm',
    'attn_q',
    'attn_k',
    'attn_v',
    'attn_output',
    'ffn_norm',
    'ffn_gate',
    'ffn_up',
    'ffn_down',
  ].map((name) => `blk.0.${name}.weight`),
]

/** A file with every number remembered, and the data its tensors speak of. */
function validFile(random: SeededRandom): FieldBytes {
  const names = tensorNames.slice(0, random.int(1, tensorNames.length))
  const metadata = [
    ...sizesOf(pick(random, architectures)),
    ...pick(random, [byteLevel, sentencePiece])(random),
  ]
  const file = new FieldBytes().bytes('GGUF').number(4, 3).number(8, names.length).number(8, metadata.length)
  for (const write of metadata) write(file)
  let offset = 0
  for (const name of names) {
    const { id, bytes } = pick(random, types)
    const rows = random.int(1, 20)
    text(file, name).number(4, 2).number(8, 32).number(8, rows).number(4, id).number(8, offset)
    offset += Math.ceil((rows * bytes) / 32) * 32
  }
  file.bytes(Buffer.alloc((32 - (file.length % 32)) % 32))
  return file.bytes(Buffer.alloc(offset, random.int(0, 255)))
}

function mutatedFile(random: SeededRandom): Uint8Array {
  const file = validFile(random)
  const kind = random.next()
  if (kind < 0.05) return file.whole()
  if (kind < 0.2) return mutateBytes(random, file.whole())
  return file.mutated(random, random.int(1, 3))
}

/** Opens a file and reads all it offers. */
async function readAll(path: string): Promise<void> {
  const source = await openGguf(path)
  for (const tensor of source.weights.tensors.values()) {
    const { size } = source.weights.files.find((file) => file.path === tensor.file)!
    if (tensor.byteOffset + tensor.byteLength > size) throw new Error(`${tensor.name} leaves its file`)
    await readStored(tensor)
  }
  const tokenizer = await source.tokenizer()
  tokenizer.encode('ab ba')
  await source.chatTemplate()
  await source.sideFiles()
}

export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/io/src/gguf/gguf.ts',
    'packages/io/src/gguf/gguf-config.ts',
    'packages/io/src/gguf/gguf-cursor.ts',
    'packages/io/src/gguf/gguf-header.ts',
    'packages/io/src/gguf/gguf-names.ts',
    'packages/io/src/gguf/gguf-tokenizer.ts',
    'packages/io/src/gguf/merges-by-score.ts',
  ],
  createCase: (random) => ({
    files: { 'model.gguf': mutatedFile(random) },
    run: (folder) => readAll(join(folder, 'model.gguf')),
  }),
})
