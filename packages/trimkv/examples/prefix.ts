// A document read once and asked several times, from a file that another process may have written.
// npx jiti examples/prefix.ts MODEL GATES FILE
import { load } from 'trimkv'

const [dir = '.', gates = '.', file = 'document.trimkv'] = process.argv.slice(2)
const document =
  'put key library . ida smiles . put stone kitchen . finn visits mill . put lamp hall . nia sings . '

using model = await load(dir, { gates })
{
  using read = await model.prefix(document, { budget: 16, buffer: 4 })
  await read.save(file)
}
using prefix = await model.loadPrefix(file)
for (const thing of ['key', 'stone', 'lamp']) {
  const { text, usage } = await model
    .generate(`${document}find ${thing}`, { prefix, maxNewTokens: 1 })
    .result()
  process.stdout.write(`${thing}:${text} (${usage.promptTokens} tokens read, ${usage.reusedTokens} reused)\n`)
}
