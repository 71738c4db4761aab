import { availableParallelism, freemem, totalmem } from 'node:os'
import { hasHubToken, hubCacheDir } from '@trimkv/hub'
import { createDevice, supportedIsas, TrimError } from '@trimkv/tensor'
import { Command } from 'commander'
import type { CliCommand, CommandContext } from '../command-line/cli-command.ts'
import { flags, withFlags } from '../command-line/flags.ts'
import { exitCodes } from '../terminal/exit-code.ts'
import { bytesText } from '../terminal/number-text.ts'

/** Whether this machine can run models, and what a bug report should say about it. */
interface Diagnosis {
  readonly node: string
  readonly platform: string
  readonly processors: number
  /** Of the native core; undefined when it does not load. */
  readonly isa: string | undefined
  readonly isas: readonly string[]
  readonly problem: string | undefined
  readonly cuda: string
  readonly memoryBytes: { readonly total: number; readonly free: number; readonly limit: number | undefined }
  readonly hubCache: string
  readonly hubToken: boolean
}

function nativeCore(): Pick<Diagnosis, 'isa' | 'isas' | 'problem'> {
  try {
    using device = createDevice({ threads: 1 })
    return { isa: device.isa, isas: supportedIsas(), problem: undefined }
  } catch (error) {
    const problem = TrimError.isInstance(error) ? error.message : String(error)
    return { isa: undefined, isas: [], problem }
  }
}

function diagnose(): Diagnosis {
  const total = totalmem()
  const constrained = process.constrainedMemory()
  return {
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    processors: availableParallelism(),
    ...nativeCore(),
    cuda: 'not built: this version computes on CPUs only',
    memoryBytes: {
      total,
      free: freemem(),
      limit: constrained > 0 && constrained < total ? constrained : undefined,
    },
    hubCache: hubCacheDir(process.env),
    hubToken: hasHubToken(process.env),
  }
}

function diagnosisText(found: Diagnosis): string {
  const { total, free, limit } = found.memoryBytes
  const lines = [
    ['node', found.node],
    ['platform', `${found.platform}, ${found.processors} processors`],
    ['native core', found.isa === undefined ? 'does not load' : `${found.isa} (of ${found.isas.join(', ')})`],
    ['cuda', found.cuda],
    [
      'memory',
      `${bytesText(free)} free of ${bytesText(total)}${limit === undefined ? '' : `, limited to ${bytesText(limit)}`}`,
    ],
    ['hub cache', found.hubCache],
    ['hub token', found.hubToken ? 'present' : 'not set'],
  ]
  return lines.map(([name, value]) => `${name!.padEnd(12)} ${value}`).join('\n')
}

async function run({ terminal, raw }: CommandContext): Promise<number> {
  const found = diagnose()
  const ok = found.problem === undefined
  terminal.data(`${raw.json ? JSON.stringify({ ok, ...found }) : diagnosisText(found)}\n`)
  const { colors } = terminal
  const verdict = ok
    ? `${colors.green('✔')} ready to run models`
    : `${colors.red('✖')} models cannot run here\n  ${found.problem}`
  if (!raw.json) terminal.data(`\n${verdict}\n`)
  return ok ? exitCodes.ok : exitCodes.device
}

/** `trimkv doctor`: what this machine can do. */
export function doctorCommand(): CliCommand {
  const command = new Command('doctor')
    .summary('check this machine')
    .description(
      'Checks Node, the native core, memory and the Hugging Face cache. Ends with 5 when models cannot run here.',
    )
  return { command: withFlags(command, flags.json()), run }
}
