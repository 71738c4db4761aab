import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import { openFileReader } from './file-reader.ts'
import { fileExists, isJsonObject, readJsonObject } from './json-file.ts'
import { malformed } from './malformed.ts'
import { describeQuantised } from './quantised-listing.ts'
import { readSafetensorsHeader } from './safetensors-header.ts'
import type { TensorEntry, TensorListing } from './tensor-listing.ts'

const singleFile = 'model.safetensors'
const indexFile = 'model.safetensors.index.json'

/**
 * Lists the tensors of one safetensors file, quantised weights with their dtype and shape. Reads its header only, so the cost does not depend on the size of the file.
 * @throws TrimError `TRIMKV_NOT_FOUND`; `TRIMKV_FORMAT` unless the header accounts for every byte of the file exactly once
 * @see https://github.com/huggingface/safetensors, section "Format"
 */
export async function openSafetensors(path: string): Promise<TensorListing> {
  await using reader = await openFileReader(path)
  const { tensors, metadata } = await readSafetensorsHeader(reader)
  return {
    tensors: new Map(describeQuantised(tensors, metadata, path).map((tensor) => [tensor.name, tensor])),
    metadata,
    files: [{ path, size: reader.size }],
  }
}

/**
 * Lists the weights of a checkpoint folder: `model.safetensors`, else the shards of `model.safetensors.index.json`.
 * @throws TrimError `TRIMKV_NOT_FOUND` when the folder has neither; `TRIMKV_FORMAT` when a file is malformed, or when the
 *   index and the headers of the shards do not name the same tensors in the same files
 */
export async function openCheckpoint(dir: string): Promise<TensorListing> {
  if (await fileExists(join(dir, singleFile))) return openSafetensors(join(dir, singleFile))
  if (await fileExists(join(dir, indexFile))) return openShards(dir, join(dir, indexFile))
  return fail('TRIMKV_NOT_FOUND', `${dir} holds no weights`, {
    why: [`expected ${singleFile} or ${indexFile}`],
    hint: 'checkpoints in other formats are converted to safetensors by the tools of their authors',
    details: { dir },
  })
}

async function openShards(dir: string, index: string): Promise<TensorListing> {
  const shardOf = await readWeightMap(index)
  const tensors = new Map<string, TensorEntry>()
  const metadata: Record<string, string>[] = []
  const files: { path: string; size: number }[] = []
  for (const shard of new Set(shardOf.values())) {
    const listing = await openSafetensors(join(dir, shard))
    for (const tensor of listing.tensors.values()) {
      checkPlace(tensor, { index, shard, expected: shardOf.get(tensor.name) })
      tensors.set(tensor.name, tensor)
    }
    metadata.push(listing.metadata)
    files.push(...listing.files)
  }
  for (const [name, shard] of shardOf) {
    if (!tensors.has(name))
      malformed({ file: index, field: name, expected: `a tensor in ${shard}`, got: 'none' })
  }
  return { tensors, metadata: Object.assign({}, ...metadata), files }
}

function checkPlace(
  { name, file }: TensorEntry,
  { index, shard, expected }: { index: string; shard: string; expected: string | undefined },
): void {
  if (expected === shard) return
  malformed({
    file,
    field: `tensor ${JSON.stringify(name)}`,
    expected: expected === undefined ? `only tensors that ${index} names` : `it in ${expected}, by ${index}`,
    got: shard,
  })
}

async function readWeightMap(file: string): Promise<ReadonlyMap<string, string>> {
  const { weight_map: weightMap } = await readJsonObject(file)
  if (!isJsonObject(weightMap)) {
    return malformed({ file, field: 'weight_map', expected: 'an object', got: weightMap })
  }
  return new Map(
    Object.entries(weightMap).map(([name, shard]) => {
      // A shard lies beside its index: a name with a path in it could point anywhere.
      if (typeof shard === 'string' && /^[^/\\]+\.safetensors$/.test(shard)) return [name, shard]
      const field = `weight_map[${JSON.stringify(name)}]`
      return malformed({
        file,
        field,
        expected: 'the name of a .safetensors file in the same folder',
        got: shard,
      })
    }),
  )
}
