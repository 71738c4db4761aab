// Runs the bundled model in this thread and in two workers at once; all must say the same.
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { load } from 'trimkv'

async function answer() {
  const model = await load(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
  try {
    const prompt = 'put key library . ida smiles . put stone kitchen . finn visits mill . find key'
    return await model.generate(prompt, { budget: 8, exact: true, maxNewTokens: 4 }).text()
  } finally {
    model[Symbol.dispose]()
  }
}

const answerOfWorker = () =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url))
    worker.on('message', resolve)
    worker.on('error', reject)
    worker.on('exit', (code) => reject(new Error(`a worker ended with ${code} and no answer`)))
  })

if (isMainThread) {
  const [own, ...others] = await Promise.all([answer(), answerOfWorker(), answerOfWorker()])
  if (!own.includes('library')) throw new Error(`the answer is ${JSON.stringify(own)}`)
  for (const other of others) if (other !== own) throw new Error(`a worker says ${JSON.stringify(other)}`)
  process.stdout.write(`${own}\n`)
} else {
  parentPort.postMessage(await answer())
}
