import { seededRandom } from '@trimkv/testing'
import { afterAll, expect, it } from 'vitest'
import { disposeFuzzDevice, submitRandomCommands } from '../test/random-commands.ts'
import { encodeUses } from './encoder.ts'
import { TrimError } from './errors.ts'
import { loadNative } from './native.ts'
import { nativeError } from './native-error.ts'
import type { AnyOp } from './op.ts'
import { opTable } from './ops/index.ts'

const addon = loadNative()
addon.setup(nativeError, encodeUses(addon.opNames, opTable as unknown as Record<string, AnyOp>))
const device = addon.deviceCreate(addon.isas.at(-1)!, 2)
afterAll(() => {
  disposeFuzzDevice()
  addon.deviceDispose(device)
})

it('answers 4000 random command buffers with errors or results, never a crash', () => {
  const outcomes = { accepted: 0, refused: 0 }
  for (let seed = 0; seed < 4000; seed++) {
    try {
      submitRandomCommands(seededRandom(seed))
      outcomes.accepted++
    } catch (cause) {
      if (!TrimError.isInstance(cause)) throw new Error(`seed ${seed}`, { cause })
      outcomes.refused++
    }
  }
  expect(outcomes.accepted).toBeGreaterThan(200)
  expect(outcomes.refused).toBeGreaterThan(2000)
})

it('recognises handles that are stale, foreign or made up', () => {
  const layout = Float64Array.of(2)
  const stale = addon.tensorCreate(device, 0, 0, 1, layout)
  addon.handleFree(device, stale)
  const next = addon.tensorCreate(device, 0, 0, 1, layout)
  for (const handle of [0, stale, 1, 0xffffffff, (1 << 20) | 999999]) {
    expect(() => addon.tensorRead(device, handle, new Float32Array(2))).toThrow(/does not exist/)
    expect(addon.handleFree(device, handle)).toBe(false)
  }
  addon.handleFree(device, next)
  for (const id of [0, device + 1, 0xffffffff])
    expect(() => addon.liveTensors(id)).toThrow(/device does not exist/)
})

it('refuses arguments of another kind', () => {
  const handle = addon.tensorCreate(device, 0, 3, 1, Float64Array.of(2))
  expect(() => addon.tensorRead(device, handle, new Float32Array(2))).toThrow(/another type/)
  expect(() => addon.tensorRead(device, handle, [1, 2] as unknown as Int32Array)).toThrow(/not a typed array/)
  expect(() => addon.tensorCreate(device, 9, 0, 1, Float64Array.of(2))).toThrow(/no kind of storage/)
  expect(() => addon.tensorCreate(device, 0, 9, 1, Float64Array.of(2))).toThrow(/no dtype/)
  expect(() => addon.tensorCreate(device, 0, 0, 3, Float64Array.of(2))).toThrow(/too short/)
  expect(() => addon.tensorCreate('x' as unknown as number, 0, 0, 1, Float64Array.of(2))).toThrow()
  expect(() => addon.deviceCreate(0, 0)).toThrow(/threads/)
  expect(() => addon.deviceCreate(7, 1)).toThrow(/instruction set/)
  addon.handleFree(device, handle)
})
