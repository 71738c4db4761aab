// Reads a text token by token and watches which tokens one head drops:
//   npx jiti session.ts MODEL GATES
import { createSession, evictedBetween, type KeptSets, loadModel } from '@trimkv/engine'

const [dir = '.', gates = '.'] = process.argv.slice(2)

using model = await loadModel(dir, { gates })
const tokenizer = await model.tokenizer()
const ids = tokenizer.encode('put key library . ida smiles happily while finn laughs . find key')
const words = tokenizer.pieces(ids)

using session = createSession(model, { budget: 8, exact: true }, { batch: 1, maxTokens: ids.length })
session.begin(0, ids.length)
let kept: KeptSets = []
for (const [step, id] of ids.entries()) {
  await session.forward({ ids: [[id]], output: { kind: 'none' } })
  const now = session.cache.positions(0)
  const evicted = evictedBetween(kept, now, { before: step, after: step + 1 })
  const dropped = evicted.filter(({ layer, head }) => layer === 2 && head === 0)
  for (const { positions } of dropped) {
    const gone = positions.map((position) => words[position]?.trim())
    process.stdout.write(`${words[step]?.trim()}: layer 2, head 0 drops ${gone.join(', ')}\n`)
  }
  kept = now
}
