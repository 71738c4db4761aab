import { readTensorData, type TensorEntry, type TensorListing } from '@trimkv/io'
import {
  createDevice,
  type Ops,
  type RefTensor,
  referenceOps,
  refTensor,
  type Tensor,
  type TensorLike,
  type TensorSpec,
} from '@trimkv/tensor'

/** What a test needs of the machine a model runs on. */
export interface TestBackend<T extends TensorLike> {
  readonly ops: Ops<T>
  tensor(values: ArrayLike<number>, spec: TensorSpec): T
  /** Row-major copy. */
  read(tensor: T): ArrayLike<number>
  /** Opens files of weights; afterwards each tensor is a look-up. */
  weights(files: TensorListing): Promise<(entry: TensorEntry) => T>
}

const specOfEntry = ({ name, dtype, shape }: TensorEntry): TensorSpec => {
  if (dtype === undefined) throw new Error(`${name} has no element type of ours`)
  return { dtype, shape }
}

/** Every op by its definition in f64; weights are read into memory. */
export const referenceTestBackend = (): TestBackend<RefTensor> => ({
  ops: referenceOps(),
  tensor: refTensor,
  read: (tensor) => tensor.toArray(),
  async weights({ tensors }) {
    const data = new Map<TensorEntry, Float32Array>()
    for (const entry of tensors.values()) data.set(entry, await readTensorData(entry))
    return (entry) => refTensor(data.get(entry)!, specOfEntry(entry))
  },
})

export const testDevice: ReturnType<typeof createDevice> = createDevice({ threads: 2 })

/** The native kernels; weights stay in their files. */
export const nativeTestBackend = (): TestBackend<Tensor> => ({
  ops: testDevice.ops,
  tensor: (values, spec) => testDevice.tensor(values, spec),
  read: (tensor) => tensor.read(),
  async weights({ files }) {
    const mappings = new Map(files.map(({ path, size }) => [path, testDevice.mapFile(path, size)]))
    return (entry) => mappings.get(entry.file)!.tensor(specOfEntry(entry), entry.byteOffset)
  },
})
