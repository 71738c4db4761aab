import { loadModel } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { answerAccuracy, readTestTexts, wilsonInterval } from './answer-accuracy.ts'

// Prints the table of the README: accuracy of the bundled model on its test file at equal budgets.
const policies = [
  'full',
  'streaming',
  'h2o',
  'tova',
  'snapkv',
  'r-kv',
  'keydiff',
  'knorm',
  'random',
  'trimkv',
]
const budgets = [16, 32, 64]
const tasks = ['recall', 'chain', 'code'] as const

const percent = (share: number): string => (100 * share).toFixed(1)

using model = await loadModel(referenceModelDir, { gates: referenceGatesDir })
const texts = await readTestTexts()
const line = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`)
line(['policy', 'budget', ...tasks])
line(['---', '---:', ...tasks.map(() => '---:')])
for (const policy of policies) {
  for (const budget of policy === 'full' ? [256] : budgets) {
    const cells: string[] = []
    for (const task of tasks) {
      const accuracy = await answerAccuracy(
        model,
        texts.filter((text) => text.task === task),
        { policy, budget },
      )
      const [low, high] = wilsonInterval(accuracy)
      cells.push(`${percent(accuracy.share)} (${percent(low)}–${percent(high)})`)
    }
    line([policy, policy === 'full' ? 'all' : String(budget), ...cells])
  }
}
