// Streams an answer with a bounded cache through the AI SDK:
//   npx jiti stream-text.ts MODEL [GATES]
import { cacheMetadata, languageModel } from '@trimkv/ai-sdk'
import { streamText } from 'ai'
import { load } from 'trimkv'

const [dir = '.', gates] = process.argv.slice(2)

using loaded = await load(dir, gates === undefined ? {} : { gates })
const model = languageModel(loaded, { budget: 8, exact: true, rawPrompt: true })

const answer = streamText({
  model,
  prompt: 'put key library . ida smiles . put stone kitchen . finn visits mill . find key',
  maxOutputTokens: 2,
})
for await (const text of answer.textStream) process.stdout.write(text)
const report = cacheMetadata(await answer.providerMetadata)
process.stdout.write(`\n${report?.meter.peakEntries} entries at most, ${report?.meter.evictions} evicted\n`)
