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

/** What a small Qwen3 says of itself. */
function writeMetadata(file: FieldBytes, vocabulary: number): void {
  const key = (name: string, type: number): FieldBytes => text(file, name).number(4, type)
  const number = (name: string, value: number): FieldBytes => key(name, valueTypes.u32).number(4, value)
  text(key('general.architecture', valueTypes.string), 'qwen3')
  number('qwen3.context_length', 64)
  number('qwen3.embedding_length', 32)
  number('qwen3.block_count', 1)
  number('qwen3.feed_forward_length', 32)
  number('qwen3.attention.head_count', 2)
  number('qwen3.attention.head_count_kv', 1)
  number('qwen3.attention.key_length', 16)
  number('qwen3.attention.value_length', 16)
  key('qwen3.attention.layer_norm_rms_epsilon', valueTypes.f32).bytes(float(1e-6))
  key('qwen3.rope.freq_base', valueTypes.f32).bytes(float(1e4))
  text(key('tokenizer.ggml.model', valueTypes.string), 'gpt2')
  text(key('tokenizer.ggml.pre', valueTypes.string), 'qwen2')
  key('tokenizer.ggml.tokens', valueTypes.array).number(4, valueTypes.string).number(8, vocabulary)
  for (let i = 0; i < vocabulary; i++) text(file, String.fromCodePoint(97 + i))
  key('tokenizer.ggml.token_type', valueTypes.array).number(4, valueTypes.i32).number(8, vocabulary)
  for (let i = 0; i < vocabulary; i++) file.number(4, 1)
  key('tokenizer.ggml.merges', valueTypes.array).number(4, valueTypes.string).number(8, 1)
  text(file, 'a b')
  number('tokenizer.ggml.eos_token_id', 1)
}
const metadataEntries = 17

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
  const file = new FieldBytes().bytes('GGUF').number(4, 3).number(8, names.length).number(8, metadataEntries)
  writeMetadata(file, random.int(1, 20))
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
  for (const entry of source.weights.tensors.values()) {
    const { size } = source.weights.files.find((file) => file.path === entry.file)!
    if (entry.byteOffset + entry.byteLength > size) throw new Error(`${entry.name} leaves its file`)
    await readStored(entry)
  }
  const tokenizer = await source.tokenizer()
  tokenizer.encode('ab ba')
  await source.chatTemplate()
}

export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/io/src/gguf/gguf.ts',
    'packages/io/src/gguf/gguf-config.ts',
    'packages/io/src/gguf/gguf-cursor.ts',
    'packages/io/src/gguf/gguf-header.ts',
    'packages/io/src/gguf/gguf-names.ts',
    'packages/io/src/gguf/gguf-tokenizer.ts',
  ],
  createCase: (random) => ({
    files: { 'model.gguf': mutatedFile(random) },
    run: (folder) => readAll(join(folder, 'model.gguf')),
  }),
})
