// Reads one text under several policies and shows what each cost and whether it still answers as the full cache does:
//   npx jiti compare.ts MODEL GATES
import { load, numberText, tableText } from 'trimkv'
import { longValues } from './my-policy.ts'

const [dir = '.', gates = '.'] = process.argv.slice(2)

using model = await load(dir, { gates })
const prompt = [
  'put ring kitchen . find ring kitchen . dan visits church . find ring kitchen . nia sings alone while ben sleeps .',
  'find ring kitchen . find ring kitchen . put stone station . find stone station . ana visits tunnel . put coin cave .',
  'cleo visits market . put map attic . finn sees stone . eva reads with kai . put key attic . find stone',
].join(' ')
const options = {
  policies: ['streaming', 'h2o', 'trimkv', longValues],
  budget: 32,
  exact: true,
  maxNewTokens: 1,
}

const rows: string[][] = []
for await (const { run } of model.compare(prompt, options)) {
  const { meter, tokensPerSecond } = run.usage
  rows.push([
    run.label,
    run.text.trim(),
    `${meter.peakEntries}`,
    numberText(tokensPerSecond),
    numberText(run.agreement),
  ])
}
const headers = ['policy', 'answer', 'peak entries', 'tokens/s', 'agreement']
process.stdout.write(
  `${tableText(
    headers.map((header) => ({ header })),
    rows,
  )}\n`,
)
