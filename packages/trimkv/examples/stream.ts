// Streams an answer with a bounded cache:
//   npx jiti stream.ts MODEL [GATES]
import { load } from 'trimkv'

const [dir = '.', gates] = process.argv.slice(2)

using model = await load(dir, gates === undefined ? {} : { gates })
const prompt = 'put key library . ida smiles . put stone kitchen . finn visits mill . find key'
for await (const event of model.generate(prompt, { budget: 8, exact: true, maxNewTokens: 2 })) {
  if (event.type === 'token') process.stdout.write(event.text)
  if (event.type === 'done') {
    const { policy, meter } = event.usage
    process.stdout.write(`\n${policy}: ${meter.peakEntries} entries at most, ${meter.evictions} evicted\n`)
  }
}
