import { openSafetensors, readTensorData, type TensorToWrite } from '@trimkv/io'
import { runFiles } from '../run/run-files.ts'
import type { TrainResult } from '../run/train.ts'
import type { Trainable } from '../trainable.ts'

/** What a run made, ready to be written: the parameters of the best validation, or of the last step without one. */
export async function trainedTensors(
  folder: string,
  { parameters }: Pick<Trainable, 'parameters'>,
  { best }: Pick<TrainResult, 'best'>,
): Promise<Record<string, TensorToWrite>> {
  const kept = best ? (await openSafetensors(runFiles(folder).best)).tensors : undefined
  const tensors: Record<string, TensorToWrite> = {}
  for (const { name, tensor } of parameters) {
    const data = kept ? await readTensorData(kept.get(name)!) : (tensor.read() as Float32Array)
    tensors[name] = { dtype: 'f32', shape: tensor.shape, data }
  }
  return tensors
}
