import type { ConstantSource } from '@trimkv/cache'
import { openSafetensors, readTensorData, type TensorEntry } from '@trimkv/io'
import { type Device, elementCount, fail, scope, type Tensor } from '@trimkv/tensor'
import { lazily } from '../lazily.ts'

/** The tensors of a source, each with the shape it must have: one, or one for each layer. */
function partsOf({
  tensor,
  shape,
}: ConstantSource): { readonly name: string; readonly shape: readonly number[] }[] {
  if (!tensor.includes('{layer}')) return [{ name: tensor, shape }]
  const [layers, ...rest] = shape
  return Array.from({ length: layers! }, (_, layer) => ({
    name: tensor.replace('{layer}', String(layer)),
    shape: rest,
  }))
}

function checkEntry(
  entry: TensorEntry | undefined,
  file: string,
  { name, shape }: ReturnType<typeof partsOf>[number],
): TensorEntry {
  if (entry?.shape.join() === shape.join()) return entry
  return fail('TRIMKV_WEIGHTS_MISMATCH', `${file} does not hold what the policy reads`, {
    why: [
      `expected the tensor ${name} [${shape.join(', ')}]`,
      entry ? `got ${name} [${entry.shape.join(', ')}]` : 'there is no tensor of this name',
    ],
    hint: 'make the file for this model',
    details: { file, tensor: name, shape: [...shape] },
  })
}

/** Tensors that a policy reads from files: taken at once, filled before the first forward. */
export class PolicyConstants implements Disposable {
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly #sources: Readonly<Record<string, ConstantSource>>

  constructor(device: Device, sources: Readonly<Record<string, ConstantSource>>) {
    this.#sources = sources
    const zeros = ({ shape }: ConstantSource): Tensor => device.zeros({ dtype: 'f32', shape })
    this.tensors = scope(() =>
      Object.fromEntries(Object.entries(sources).map(([name, source]) => [name, zeros(source)])),
    )
  }

  /**
   * Reads the files, once; what failed is tried again.
   * @throws TRIMKV_NOT_FOUND, TRIMKV_FORMAT, TRIMKV_DTYPE; TRIMKV_WEIGHTS_MISMATCH for a missing tensor or another shape
   */
  readonly load: () => Promise<void> = lazily(() => this.#read())

  async #read(): Promise<void> {
    for (const [name, source] of Object.entries(this.#sources)) {
      const { tensors } = await openSafetensors(source.file)
      const parts = partsOf(source)
      const values = new Float32Array(elementCount(source.shape))
      for (const [i, part] of parts.entries()) {
        const numbers = await readTensorData(checkEntry(tensors.get(part.name), source.file, part))
        values.set(numbers, (i * values.length) / parts.length)
      }
      this.tensors[name]!.write(values)
    }
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.tensors)) tensor[Symbol.dispose]()
  }
}
