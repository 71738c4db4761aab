// The newest client of the AI SDK, which has a specification of its own, takes our models too: newest-ai-sdk.mjs CLIENT

import { cacheMetadata, languageModel } from '@trimkv/ai-sdk'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { load } from 'trimkv'

const { generateText, streamText } = await import(process.argv[2])
const loaded = await load(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
const model = languageModel(loaded, { budget: 8, exact: true, rawPrompt: true })
const prompt = 'put key library . ida smiles . put stone kitchen . finn visits mill . find key'

const whole = await generateText({ model, prompt, maxOutputTokens: 2 })
let streamed = ''
for await (const text of streamText({ model, prompt, maxOutputTokens: 2 }).textStream) streamed += text
loaded[Symbol.dispose]()

const report = cacheMetadata(whole.providerMetadata)
if (!whole.text.includes('library') || streamed !== whole.text || !report?.meter.evictions) {
  throw new Error(JSON.stringify({ text: whole.text, streamed, report }))
}
process.stdout.write(`${whole.text}\n`)
