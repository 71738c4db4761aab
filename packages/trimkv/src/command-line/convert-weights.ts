import { join } from 'node:path'
import { quantiseModel } from '@trimkv/engine'
import { modelFilesIn } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import { bytesText, countText } from '../terminal/number-text.ts'
import { startProgress } from '../terminal/progress.ts'
import type { CommandContext } from './cli-command.ts'
import { modelFolder } from './hub-cache.ts'

/** What `trimkv convert MODEL` was asked for. */
interface Conversion {
  readonly model: string
  readonly weights: 'q8' | 'q4'
  readonly out: string
  readonly force: boolean
  readonly json: boolean
}

const million = 1e6

/** Writes a model with quantised weights and says what became of it. */
export async function convertWeights(
  { model, weights, out, force, json }: Conversion,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
): Promise<void> {
  const [found] = await modelFilesIn(out)
  if (found !== undefined && !force) {
    fail('TRIMKV_OPTION', `${join(out, found)} exists`, {
      hint: 'choose another folder, or replace it with --force',
    })
  }
  using progress = startProgress(terminal, { label: `converting to ${weights}`, unit: 'million weights' })
  const result = await quantiseModel(await modelFolder(model, process.env), out, {
    weights,
    signal,
    onProgress: ({ done, total }) => progress.update(Math.round(done / million), Math.round(total / million)),
  })
  const { quantised, kept, bytesBefore, bytesAfter } = result
  if (kept.length > 0) {
    terminal.warn(
      `${terminal.talkColors.yellow('!')} ${countText(kept.length)} matrices stay as they are: 32 does not divide their width, or 16 the rows of a part (${kept[0]}${kept.length > 1 ? ', …' : ''})`,
    )
  }
  const text = `${out}  ${countText(quantised)} matrices in ${weights}, ${bytesText(bytesBefore)} → ${bytesText(bytesAfter)}\n`
  terminal.data(json ? `${JSON.stringify({ weights, ...result })}\n` : text)
}
