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
import { flags, withFlags } from '../command-line/flags.ts'
import { modelFolder } from '../command-line/hub-cache.ts'
import { checkedSettings } from '../command-line/settings.ts'
import { bytesText } from '../terminal/number-text.ts'

const writers = { torch: writeTorchGates, safetensors: writeGates }

async function run({ args, raw, terminal }: CommandContext): Promise<undefined> {
  const { to, out, json } = await checkedSettings(raw, ['to', 'out', 'json'])
  const gates = await openGates(modelFolder(args[1]!, process.env))
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

/** `trimkv convert`: gates between the layout of their release and safetensors. */
export function convertCommand(): CliCommand {
  const command = new Command('convert')
    .argument('<what>', 'gates')
    .argument('<folder>', 'folder of gates, in either layout')
    .summary('write gates in the other layout')
    .description(
      'Writes a folder of gates as they are published (config.json and trimkv_weights.pth, which torch.load reads) or with safetensors (config.json and retention_gates.safetensors). Every bit of the tensors stays.',
    )
    .addOption(new Option('--to <layout>', 'layout to write').choices(Object.keys(writers)))
    .option('--out <dir>', 'folder to write; made where it does not exist')
    .option('--force', 'replace files that exist')
  command.registeredArguments[0]!.choices(['gates'])
  return { command: withFlags(command, flags.json()), run }
}
