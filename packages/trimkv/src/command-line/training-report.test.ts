import type { TrainEvent } from '@trimkv/trainer'
import { expect, it } from 'vitest'
import { createTerminal } from '../terminal/terminal.ts'
import { reportTraining } from './training-report.ts'

const stepEvent = (step: number, steps = 200): TrainEvent => ({
  kind: 'step',
  step,
  steps,
  terms: { loss: 0.5, ntp: 0.9, kl: 0.00004, capacity: 0.05, occupancy: 40.25 },
  learningRate: 1e-4,
  gradNorm: 1,
  tokensPerSecond: 1234,
  etaSeconds: 61,
})

function report({ isTTY = false, jsonl = false } = {}) {
  const written = { stdout: '', stderr: '' }
  const stream = (name: keyof typeof written) => ({
    isTTY,
    columns: 200,
    write: (text: string) => {
      written[name] += text
      return true
    },
  })
  const terminal = createTerminal({ stdout: stream('stdout'), stderr: stream('stderr') }, { NO_COLOR: '1' })
  const clock = { ms: 0 }
  return { ...reportTraining(terminal, { jsonl, budget: 32, now: () => clock.ms }), clock, written }
}

it('writes a line every 50 steps or five seconds, and the last one', () => {
  const { onProgress, clock, written } = report()
  for (let step = 1; step <= 200; step++) {
    clock.ms += step === 120 ? 5000 : 10
    onProgress(stepEvent(step))
  }
  const steps = [...written.stderr.matchAll(/^step (\d+)\/200/gm)].map(([, step]) => Number(step))
  expect(steps).toEqual([50, 100, 120, 150, 200])
  expect(written.stderr).toContain(
    'step 50/200 · 1 min 01 s left · loss 0.500 (ntp 0.900, kl 4.0e-5, capacity 0.0500) · 40.3 tokens held of 32 · 1\u2009234 tokens/s\n',
  )
  expect(written.stdout).toBe('')
})

it('redraws one line on a terminal, ten times a second at most, and leaves the last', () => {
  const { onProgress, clock, written } = report({ isTTY: true })
  for (let step = 1; step <= 20; step++) {
    clock.ms += 25
    onProgress(stepEvent(step, 20))
  }
  expect(written.stderr.match(/step \d+/g)).toEqual([
    'step 1',
    'step 5',
    'step 9',
    'step 13',
    'step 17',
    'step 20',
  ])
  expect(written.stderr.match(/\n/g)).toHaveLength(1)
  expect(written.stderr.endsWith('tokens/s\n')).toBe(true)
})

it('tells of validations and of where a run goes on', () => {
  const { onProgress, written } = report()
  onProgress({ kind: 'resume', step: 1500 })
  onProgress({ kind: 'validation', step: 1500, terms: { loss: 0.25 }, best: true })
  onProgress({ kind: 'validation', step: 1600, terms: { loss: 0.5 }, best: false })
  expect(written.stderr).toBe(
    'going on after step 1\u2009500\nvalidation after step 1\u2009500 · loss 0.250 · best so far\nvalidation after step 1\u2009600 · loss 0.500\n',
  )
})

it('gives every event as data when asked', () => {
  const { onProgress, written } = report({ jsonl: true })
  const events: TrainEvent[] = [
    { kind: 'checkpoint', step: 0 },
    stepEvent(1),
    { kind: 'checkpoint', step: 1 },
  ]
  events.forEach(onProgress)
  expect(
    written.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(events)
})
