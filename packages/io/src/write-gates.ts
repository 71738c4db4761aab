import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import { gateFiles, parseGatesConfig } from './gates-checkpoint.ts'
import { fileExists, type JsonObject } from './json-file.ts'
import type { TensorsToWrite } from './tensor-to-write.ts'
import { writeFolder } from './write-folder.ts'
import { safetensorsPieces } from './write-safetensors.ts'
import { torchFilePieces } from './write-torch-file.ts'

/** Retention gates to write. */
export interface GatesToWrite {
  /** The whole `config.json`: with `retention_gate` and `retention_gate_intermediate_size`, else it could not be read. */
  readonly config: JsonObject
  /** Named `model.layers.{l}.self_attn.retention_gate.*`. */
  readonly tensors: TensorsToWrite
}

/**
 * Writes a folder of gates: `retention_gates.safetensors`, then `config.json`, together as {@link writeFolder} does.
 * @param folder made where it does not exist
 * @returns the paths of the files
 * @throws TrimError as {@link readGatesConfig} for a configuration it would refuse, and as {@link safetensorsPieces} and {@link writeFolder}
 */
export async function writeGates(folder: string, { config, tensors }: GatesToWrite): Promise<string[]> {
  parseGatesConfig(config, join(folder, 'config.json'))
  return writeFolder(folder, config, {
    [gateFiles.safetensors]: safetensorsPieces(tensors, { format: 'pt' }),
  })
}

/**
 * Writes a folder of gates as they are published: `trimkv_weights.pth`, as {@link writeTorchFile} makes it, then `config.json`.
 * @param folder made where it does not exist
 * @returns the paths of the files
 * @throws TrimError as {@link readGatesConfig} for a configuration it would refuse, and as {@link writeTorchFile} and {@link writeFolder};
 *   `TRIMKV_OPTION` when the folder holds gates as {@link writeGates} writes them, which would be read instead
 */
export async function writeTorchGates(folder: string, { config, tensors }: GatesToWrite): Promise<string[]> {
  parseGatesConfig(config, join(folder, 'config.json'))
  if (await fileExists(join(folder, gateFiles.safetensors))) {
    fail('TRIMKV_OPTION', `${folder} already holds ${gateFiles.safetensors}`, {
      why: [`it would be read instead of ${gateFiles.torch}`],
      hint: 'write to another folder, or delete it first',
      details: { folder },
    })
  }
  return writeFolder(folder, config, { [gateFiles.torch]: torchFilePieces(gateFiles.torch, tensors) })
}
