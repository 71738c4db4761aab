import { bytesText, countText } from '../terminal/number-text.ts'
import { tableText } from '../terminal/table-text.ts'
import type { Facts, GatesFacts, ModelFacts, TensorFacts } from './inspect-facts.ts'

type Line = readonly [name: string, value: string]

const lines = (entries: readonly Line[]): string =>
  entries.map(([name, value]) => `${name.padEnd(14)} ${value}`).join('\n')

const gatesLines = ({
  variant,
  units,
  baseModel,
  trainedBudget,
  parameters,
  weightBytes,
}: GatesFacts): Line[] => [
  [
    'gates',
    `${variant}, ${countText(units)} hidden units, ${countText(parameters)} parameters, ${bytesText(weightBytes)}`,
  ],
  [
    'made for',
    `${baseModel ?? 'a model they do not name'}${trainedBudget === undefined ? '' : `, budget ${countText(trainedBudget)}`}`,
  ],
]

/** What every token takes, and a budget, where there is one. */
function cacheRows({ context, kvDtype, policy, ...cache }: ModelFacts['cache']): string[][] {
  const { fullBytes, budget, slots = 0, budgetBytes = 0 } = cache
  const tokens = `${countText(context)} tokens, ${kvDtype}`
  if (budget === undefined)
    return [['full cache', bytesText(fullBytes), `${tokens}, ${policy} keeps every token`]]
  const ofPolicy = policy === undefined ? '' : `, ${policy}`
  return [
    ['full cache', bytesText(fullBytes), tokens],
    [
      'bounded cache',
      bytesText(budgetBytes),
      `${countText(budget)} + ${countText(slots - budget)} slots per head, ${kvDtype}${ofPolicy}`,
    ],
  ]
}

function modelText(facts: ModelFacts): string {
  const { spec, cache, gates } = facts
  const about = lines([
    ['model', `${spec.family}, ${countText(facts.parameters)} parameters`],
    [
      'layers',
      `${spec.layers} of width ${countText(spec.hiddenSize)}, MLP ${countText(spec.intermediateSize)}`,
    ],
    ['heads', `${spec.heads} query, ${spec.kvHeads} key/value, of ${spec.headDim}`],
    ['positions', `${countText(spec.maxLength)}, rope ${facts.rope}`],
    [
      'vocabulary',
      `${countText(spec.vocabSize)} ids, ${facts.tiedHead ? 'tied' : 'separate'} head, ends with ${facts.endIds.join(', ') || 'none'}`,
    ],
    ['tokenizer', facts.tokenizer === undefined ? 'none' : `${countText(facts.tokenizer)} tokens`],
    ['chat template', facts.chatTemplate?.slice(0, 12) ?? 'none'],
    ...(gates ? gatesLines(gates) : []),
  ])
  const weights = `${facts.dtypes.join(', ')} in ${facts.files} ${facts.files === 1 ? 'file' : 'files'}, mapped`
  const memory = tableText(
    [{ header: 'memory' }, { header: 'bytes', align: 'right' }, { header: '' }],
    [['weights', bytesText(facts.weightBytes), weights], ...cacheRows(cache)],
  )
  return `${about}\n\n${memory}`
}

function tensorsText({ files, bytes, metadata, tensors }: TensorFacts): string {
  const about = lines([
    ['files', files.join(', ')],
    ['size', `${bytesText(bytes)}, ${countText(tensors.length)} tensors`],
    ...Object.entries(metadata).map(([name, value]): Line => [name, value]),
  ])
  const rows = tensors.map(({ name, dtype, shape }) => [name, dtype, `[${shape.join(', ')}]`])
  return `${about}\n\n${tableText([{ header: 'tensor' }, { header: 'dtype' }, { header: 'shape' }], rows)}`
}

/** What {@link Facts} say, for people. */
export function factsText(facts: Facts): string {
  switch (facts.kind) {
    case 'model':
      return modelText(facts)
    case 'gates':
      return lines(gatesLines(facts))
    case 'tensors':
      return tensorsText(facts)
  }
}
