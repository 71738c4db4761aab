import type { ConstantSource } from '@trimkv/cache'
import { openSafetensors, readTensorData, type TensorEntry } from '@trimkv/io'
import { type Device, fail, type Tensor } from '@trimkv/tensor'

function checkEntry(entry: TensorEntry | undefined, { file, tensor, shape }: ConstantSource): TensorEntry {
  if (entry?.shape.join() === shape.join()) return entry
  return fail('TRIMKV_WEIGHTS_MISMATCH', `${file} does not hold what the policy reads`, {
    why: [
      `expected the tensor ${tensor} [${shape.join(', ')}]`,
      entry ? `got ${tensor} [${entry.shape.join(', ')}]` : 'there is no tensor of this name',
    ],
    hint: 'make the file for this model',
    details: { file, tensor, shape: [...shape] },
  })
}

/** Tensors that a policy reads from files: taken at once, filled before the first forward. */
export class PolicyConstants implements Disposable {
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly #sources: Readonly<Record<string, ConstantSource>>
  #loaded: Promise<void> | undefined

  constructor(device: Device, sources: Readonly<Record<string, ConstantSource>>) {
    this.#sources = sources
    this.tensors = Object.fromEntries(
      Object.entries(sources).map(([name, { shape }]) => [name, device.zeros({ dtype: 'f32', shape })]),
    )
  }

  /**
   * Reads the files, once.
   * @throws TRIMKV_NOT_FOUND, TRIMKV_FORMAT, TRIMKV_DTYPE; TRIMKV_WEIGHTS_MISMATCH for a missing tensor or another shape
   */
  load(): Promise<void> {
    this.#loaded ??= this.#read()
    return this.#loaded
  }

  async #read(): Promise<void> {
    for (const [name, source] of Object.entries(this.#sources)) {
      const { tensors } = await openSafetensors(source.file)
      const entry = checkEntry(tensors.get(source.tensor), source)
      this.tensors[name]!.write(await readTensorData(entry))
    }
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.tensors)) tensor[Symbol.dispose]()
  }
}
