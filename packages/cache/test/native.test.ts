import { createDevice, type Device, type Tensor } from '@trimkv/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { policies } from '../src/policies/index.ts'
import { deviceStorage } from '../src/storage.ts'
import { policyChecks } from '../src/testing/policy-conformance.ts'
import type { TestBackend } from '../src/testing/run-forward.ts'

let device: Device
let backend: TestBackend<Tensor>
beforeAll(() => {
  device = createDevice({ threads: 2 })
  backend = { storage: deviceStorage(device), ops: device.ops }
})
afterAll(() => device[Symbol.dispose]())

describe.each(Object.values(policies))('$name on the native device', (policy) => {
  for (const [i, { name }] of policyChecks(policy).entries()) {
    it(name, () => expect(policyChecks(policy, { backend })[i]!.run()).toEqual([]))
  }
})
