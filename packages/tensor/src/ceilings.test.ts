import { describe, expect, it } from 'vitest'
import { createCeilingProbe } from './ceilings.ts'
import { createDevice } from './device.ts'
import { supportedIsas } from './native-device.ts'

describe.each(supportedIsas())('the ceilings of a device on %s', (isa) => {
  it('are those of a machine, and leave nothing behind', () => {
    using device = createDevice({ threads: 2, isa })
    {
      using probe = createCeilingProbe(device)
      const { flops, bandwidth } = probe.measure()
      expect(flops).toBeGreaterThan(1e8)
      expect(flops).toBeLessThan(1e14)
      expect(bandwidth).toBeGreaterThan(1e8)
      expect(bandwidth).toBeLessThan(1e13)
    }
    expect(device.liveTensors()).toBe(0)
  })
})
