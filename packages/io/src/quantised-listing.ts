import { type QuantisedDType, type QuantisedSpec, quantisedBytes } from '@trimkv/tensor'
import { isJsonObject, type JsonObject, parseJsonObject } from './json-file.ts'
import { malformed } from './malformed.ts'
import type { TensorEntry } from './tensor-listing.ts'

/**
 * Quantised weights in safetensors: a tensor of bytes each, as `linear` reads them, and in the metadata under this name what
 * the bytes are: `{"version":1,"tensors":{"<name>":{"dtype":"q8","shape":[O,K]}}}`.
 */
const metadataKey = 'trimkv.quantised'
const version = 1

/** Metadata of a file with these tensors; empty when none is quantised. */
export function quantisedMetadata(
  tensors: readonly (readonly [string, { readonly dtype: string; readonly shape: readonly number[] }])[],
): Record<string, string> {
  const quantised = tensors.filter(([, { dtype }]) => dtype === 'q8' || dtype === 'q4')
  if (quantised.length === 0) return {}
  const described = quantised.map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const)
  return { [metadataKey]: JSON.stringify({ version, tensors: Object.fromEntries(described) }) }
}

/**
 * Entries of a file with its quantised weights as what they are, by its metadata.
 * @throws TrimError `TRIMKV_FORMAT` when the metadata and the tensors disagree, `TRIMKV_UNSUPPORTED` for a newer version
 */
export function describeQuantised(
  entries: readonly TensorEntry[],
  metadata: Readonly<Record<string, string>>,
  file: string,
): TensorEntry[] {
  const text = metadata[metadataKey]
  if (text === undefined) return [...entries]
  const field = `__metadata__[${JSON.stringify(metadataKey)}]`
  const described = parseJsonObject(text, file, field)
  if (described.version !== version) {
    malformed({
      code: 'TRIMKV_UNSUPPORTED',
      file,
      field: `${field}.version`,
      expected: `${version}`,
      got: described.version,
      hint: 'convert the model again with this version',
    })
  }
  const specs = isJsonObject(described.tensors)
    ? described.tensors
    : malformed({ file, field: `${field}.tensors`, expected: 'an object', got: described.tensors })
  const names = new Set(entries.map(({ name }) => name))
  const absent = Object.keys(specs).find((name) => !names.has(name))
  if (absent !== undefined) malformed({ file, field, expected: 'names of tensors of the file', got: absent })
  return entries.map((entry) => (Object.hasOwn(specs, entry.name) ? asDescribed(entry, specs, file) : entry))
}

function asDescribed(entry: TensorEntry, specs: JsonObject, file: string): TensorEntry {
  const field = `quantised tensor ${JSON.stringify(entry.name)}`
  const spec = parseSpec(specs[entry.name])
  if (!spec) {
    return malformed({
      file,
      field,
      expected: 'q8 or q4 and a shape [O, K] with 32 dividing K',
      got: specs[entry.name],
    })
  }
  const expected = quantisedBytes(spec)
  if (entry.fileDtype !== 'U8' || entry.byteLength !== expected) {
    malformed({
      file,
      field,
      expected: `${expected} bytes of U8`,
      got: `${entry.byteLength} of ${entry.fileDtype}`,
    })
  }
  return { ...entry, ...spec }
}

function parseSpec(value: unknown): QuantisedSpec | undefined {
  if (!isJsonObject(value) || (value.dtype !== 'q8' && value.dtype !== 'q4')) return undefined
  const dtype: QuantisedDType = value.dtype
  const { shape } = value
  const valid =
    Array.isArray(shape) &&
    shape.length === 2 &&
    shape.every((size) => Number.isSafeInteger(size) && size > 0 && size < 2 ** 31) &&
    shape[1] % 32 === 0
  return valid ? { dtype, shape } : undefined
}
