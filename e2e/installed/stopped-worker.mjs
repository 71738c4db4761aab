// Ends a worker in the middle of an answer, again and again; the process and its other threads must live on.
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { load } from 'trimkv'

const start = async () => {
  const model = await load(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
  return model.generate('put key library . find key', { budget: 8, maxNewTokens: 100_000, ignoreEnd: true })
}

const stopWorker = () =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url))
    worker.on('message', () => resolve(worker.terminate()))
    worker.on('error', reject)
  })

if (isMainThread) {
  for (let i = 0; i < 5; i++) await stopWorker()
  let tokens = 0
  for await (const event of await start()) if (event.type === 'token' && ++tokens === 100) break
  process.stdout.write(`${tokens} tokens after five stopped workers\n`)
} else {
  let tokens = 0
  for await (const event of await start())
    if (event.type === 'token' && ++tokens === 20) parentPort.postMessage(tokens)
}
