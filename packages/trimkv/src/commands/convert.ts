import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  type GatesCheckpoint,
  gateFiles,
  openGates,
  readTensorBytes,
  type TensorToWrite,
  writeGates,
  writeTorchGates,
} from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import { Command, Option } from 'commander'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { convertWeights } from '../command-line/convert-weights.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { modelFolder } from '../command-line/hub-cache.ts'
import { checkedSettings } from '../command-line/settings.ts'
import { bytesText } from '../terminal/number-text.ts'

const writers = { torch: writeTorchGates, safetensors: writeGates }

async function run(context: CommandContext): Promise<undefined> {
  const { args, raw } = context
  const [what, folder] = args as [string, string | undefined]
  if (what === 'gates' && folder !== undefined) return convertGates(folder, context)
  const isGatesAlone = what === 'gates' && raw.weights === undefined
  if (folder !== undefined || isGatesAlone) {
    const asked = isGatesAlone ? 'gates without a folder' : `${what} ${folder}`
    fail('TRIMKV_OPTION', `There is no way to convert ${asked}`, {
      why: ['expected `convert gates FOLDER --to LAYOUT` or `convert MODEL --weights q8|q4`'],
    })
  }
  const { weights, out, json } = await checkedSettings(raw, ['weights', 'out', 'json'])
  await convertWeights({ model: what, weights, out, json, force: raw.force === true }, context)
}

async function convertGates(folder: string, { raw, terminal }: CommandContext): Promise<undefined> {
  const { to, out, json } = await checkedSettings(raw, ['to', 'out', 'json'])
  const gates = await openGates(await modelFolder(folder, process.env))
  // Not a checked setting: `trace` has a flag of this name that takes a list.
  if (raw.force !== true) refuseToReplace([gateFiles[to], 'config.json'].map((name) => join(out, name)))
  const written = await writers[to](out, { config: gates.config.raw, tensors: await readTensors(gates) })
  const files = written.map((path) => ({ path, bytes: statSync(path).size }))
  const text = files.map(({ path, bytes }) => `${path}  ${bytesText(bytes)}\n`).join('')
  terminal.data(json ? `${JSON.stringify({ tensors: gates.tensors.size, files })}\n` : text)
}

function refuseToReplace(paths: readonly string[]): void {
  const found = paths.find((path) => existsSync(path))
  if (found === undefined) return
  fail('TRIMKV_OPTION', `${found} exists`, { hint: 'choose another folder, or replace it with --force' })
}

/** All tensors as they stand: the element type and every bit stay. */
async function readTensors({ tensors }: GatesCheckpoint): Promise<Record<string, TensorToWrite>> {
  const read: Record<string, TensorToWrite> = {}
  for (const entry of tensors.values()) {
    const { name, dtype, fileDtype, shape } = entry
    if (dtype === undefined) {
      fail('TRIMKV_DTYPE', `${entry.file}: tensor ${JSON.stringify(name)} cannot be converted`, {
        why: ['expected F32, BF16, F16 or I32', `got ${fileDtype}`],
      })
    }
    read[name] = { dtype, shape, data: await readTensorBytes(entry) }
  }
  return read
}

/** `trimkv convert`: weights to a quantised format, or gates between the layout of their release and safetensors. */
export function convertCommand(): CliCommand {
  const command = new Command('convert')
    .argument(
      '<model>',
      'folder of a model or a .gguf file, or org/name[@revision][:file.gguf] of a downloaded one; or the word gates',
    )
    .argument('[folder]', 'after gates: folder of gates, in either layout')
    .summary('write a model with smaller weights, or gates in the other layout')
    .description(
      'convert MODEL --weights q8|q4 --out DIR writes the model with its matrices quantised, 32 weights to a scale, ready to be mapped. convert gates FOLDER --to LAYOUT --out DIR writes a folder of gates as they are published (config.json and trimkv_weights.pth, which torch.load reads) or with safetensors (config.json and retention_gates.safetensors), every bit of the tensors as it was.',
    )
    .addOption(new Option('--weights <format>', 'format of the matrices').choices(['q8', 'q4']))
    .addOption(new Option('--to <layout>', 'layout to write').choices(Object.keys(writers)))
    .option('--out <dir>', 'folder to write; made where it does not exist')
    .option('--force', 'replace files that exist')
  return { command: withFlags(command, flags.json()), run }
}
