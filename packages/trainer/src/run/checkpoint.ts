import { dirname } from 'node:path'
import { openSafetensors, readTensorData, type TensorToWrite, writeSafetensors } from '@trimkv/io'
import { fail, type Tensor } from '@trimkv/tensor'
import type { JsonValue } from '../json-value.ts'
import { allFinite, diverged } from './diverged.ts'
import { checkFreeSpace } from './free-space.ts'
import { checkIdentity, otherRun, type RunIdentity } from './run-identity.ts'

/** The best validation of a run so far. */
export interface Best {
  readonly step: number
  readonly term: string
  readonly value: number
}

/** Where a run stands, but for its tensors. */
export interface RunState {
  /** Updates done. */
  readonly step: number
  /** Step of the last validation; null before the first. */
  readonly validated: number | null
  readonly best: Best | null
  /** State of the data source after that many updates. */
  readonly data: JsonValue
}

/** Tensors by their names in the file. */
export type NamedTensors = ReadonlyMap<string, Tensor>

const version = 1

/**
 * Writes the tensors of a run and where it stands; readers see the old file or the new one.
 * @throws TrimError `TRIMKV_DIVERGED` when a tensor is not finite, `TRIMKV_DISK`, `TRIMKV_IO`; the old file stays
 */
export async function writeCheckpoint(
  file: string,
  tensors: NamedTensors,
  run: { readonly identity: RunIdentity; readonly state: RunState },
): Promise<void> {
  await writeTensors(file, tensors, { step: run.state.step, metadata: { run: { version, ...run } } })
}

/** As {@link writeCheckpoint}, for the parameters alone. */
export async function writeBest(file: string, tensors: NamedTensors, best: Best): Promise<void> {
  await writeTensors(file, tensors, { step: best.step, metadata: { best } })
}

async function writeTensors(
  file: string,
  tensors: NamedTensors,
  { step, metadata }: { readonly step: number; readonly metadata: Readonly<Record<string, unknown>> },
): Promise<void> {
  const content: Record<string, TensorToWrite> = {}
  let bytes = 0
  for (const [name, tensor] of tensors) {
    const data = tensor.read() as Float32Array
    if (!allFinite(data)) diverged({ step, what: name, name })
    content[name] = { dtype: 'f32', shape: tensor.shape, data }
    bytes += data.byteLength
  }
  await checkFreeSpace(dirname(file), bytes)
  const texts = Object.entries(metadata).map(([key, value]) => [key, JSON.stringify(value)])
  await writeSafetensors(file, content, Object.fromEntries(texts))
}

/**
 * Puts a run back where its checkpoint was made.
 * @returns where it stands; `tensors` hold the bits that were saved
 * @throws TrimError `TRIMKV_RESUME` when the checkpoint is of another run, `TRIMKV_FORMAT` when it is none; nothing was
 *   changed then
 */
export async function restoreCheckpoint(
  file: string,
  tensors: NamedTensors,
  identity: RunIdentity,
): Promise<RunState> {
  const { tensors: entries, metadata } = await openSafetensors(file)
  const run = parseRun(metadata.run, file)
  checkIdentity(run.identity, identity, file)
  const found = new Map([...entries].map(([name, { shape }]) => [name, shape]))
  checkTensors(found, tensors, file)
  for (const [name, tensor] of tensors) tensor.write(await readTensorData(entries.get(name)!))
  return run.state
}

function parseRun(text: string | undefined, file: string): { identity: JsonValue; state: RunState } {
  const run = parseJson(text) as Partial<{
    version: unknown
    identity: JsonValue
    state: Partial<RunState>
  }> | null
  const { identity, state } = run ?? {}
  const isWhole = Number.isSafeInteger(state?.step) && state?.data !== undefined && identity !== undefined
  if (run?.version === version && isWhole) return { identity, state: state as RunState }
  return fail('TRIMKV_FORMAT', `${file} is not a checkpoint of a training run`, {
    why: [`expected the metadata of version ${version}`, `got ${text?.slice(0, 80) ?? 'none'}`],
    details: { file },
  })
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}

type Shapes = ReadonlyMap<string, readonly number[]>

function checkTensors(found: Shapes, wanted: NamedTensors, file: string): void {
  const shapeText = (shape: readonly number[] | undefined): string =>
    shape ? `[${shape.join(', ')}]` : 'nothing'
  const differences = [...new Set([...found.keys(), ...wanted.keys()])]
    .map((name) => ({ name, was: shapeText(found.get(name)), is: shapeText(wanted.get(name)?.shape) }))
    .filter(({ was, is }) => was !== is)
    .map(({ name, was, is }) => `${name}: ${was} there, ${is} now`)
  if (differences.length > 0) otherRun(file, differences)
}
