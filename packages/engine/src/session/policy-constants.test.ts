import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeSafetensors } from '@trimkv/io'
import { createDevice } from '@trimkv/tensor'
import { afterAll, expect, it } from 'vitest'
import { PolicyConstants } from './policy-constants.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-constants-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('reads a file that is there when it is asked again', async () => {
  using device = createDevice({ threads: 1 })
  const file = join(folder, 'filters.safetensors')
  using constants = new PolicyConstants(device, { filters: { file, tensor: 'q', shape: [2, 3] } })
  await expect(constants.load()).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
  const data = Float32Array.of(1, 2, 3, 4, 5, 6)
  await writeSafetensors(file, { q: { dtype: 'f32', shape: [2, 3], data: new Uint8Array(data.buffer) } })
  await constants.load()
  expect(constants.tensors.filters!.read()).toEqual(data)
  rmSync(file)
  await constants.load()
})
