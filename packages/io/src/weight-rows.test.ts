import { describe, expect, it } from 'vitest'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { openSafetensors } from './safetensors.ts'
import { quantisedPieces } from './weight-rows.ts'
import { writeSafetensors } from './write-safetensors.ts'

const folder = useTemporaryFolder()

async function quantiseOne(value: number, dtype: 'q8' | 'q4'): Promise<number> {
  const data = new Float32Array(64 * 32)
  data[40 * 32] = value
  const path = folder.path('one.safetensors')
  await writeSafetensors(path, { large: { dtype: 'f32', shape: [64, 32], data } })
  const { tensors } = await openSafetensors(path)
  let bytes = 0
  for await (const piece of quantisedPieces(tensors.get('large')!, dtype)) bytes += piece.length
  return bytes
}

describe('quantisedPieces', () => {
  it.each([
    ['q8', 127 * 65504],
    ['q4', 8 * 65504],
  ] as const)(
    '%s takes weights up to %d, and names the tensor of one that is larger',
    async (dtype, limit) => {
      expect(await quantiseOne(limit, dtype)).toBeGreaterThan(0)
      for (const value of [limit + 1, -Infinity, Number.NaN]) {
        const error = await expectTrimError(
          () => quantiseOne(value, dtype),
          'TRIMKV_UNSUPPORTED',
          new RegExp(
            `one\\.safetensors: tensor "large" cannot become ${dtype}\\s+${value} cannot be quantised`,
          ),
        )
        expect(error.details).toMatchObject({ tensor: 'large', dtype })
        expect(error.hint).toMatch(Number.isFinite(value) ? /keep this weight/ : /damaged/)
      }
    },
  )
})
