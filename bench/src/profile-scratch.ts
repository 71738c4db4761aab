import { loadModel } from '@trimkv/engine'
import { createDevice } from '@trimkv/tensor'
import { OpClock } from './training/op-clock.ts'
import { checkpointFolder, gatesFolder, promptIds } from './inference/bench-files.ts'
import { SessionReader } from './inference/reader.ts'
const mode = process.argv[2] ?? 'decode'
const clock = new OpClock()
const device = createDevice({ threads: Number(process.argv[3] ?? 2) })
const model = await loadModel(await checkpointFolder(), { device: clock.watch(device), gates: await gatesFolder() })
const policy = process.argv[4] ?? 'full'
const reader = new SessionReader(model, policy==='full' ? { policy: 'full', maxTokens: 3000 } : {policy, exact:true, budget:1024, maxTokens: 9000})
const n = mode === 'decode' ? 1024 : Number(process.argv[5] ?? 512)
await reader.fill(promptIds(n))
if (mode === 'decode') { await reader.decode(2); clock.reset(); await reader.decode(10) }
const steps = mode === 'decode' ? 10 : 1
let total = 0
for (const t of clock.times()) { total += t.seconds; console.log(t.name.padEnd(16), String(t.calls/steps).padStart(5), (1000*t.seconds/steps).toFixed(2).padStart(9), 'ms', (100*t.share).toFixed(1), '%', (t.flops/t.seconds/1e9).toFixed(1), 'GFLOP/s') }
console.log('total', (1000*total/steps).toFixed(1), device.isa)
process.exit(0)
