import { logBetaInput, startInput } from '../../document-case-inputs.ts'
import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>
type Options = { readonly documents?: number; readonly value?: number }

const at = (shape: readonly [number, number, number], options: Options = {}): OpCase<Attrs> => {
  const { documents, value } = options
  const [batch, length] = shape
  return {
    name: `[${shape.join(', ')}]${documents ? ` documents ${documents}` : ''}${value === undefined ? '' : ` ${value}`}`,
    inputs: {
      logBeta: value === undefined ? logBetaInput(shape, 1.9) : { dtype: 'f32', shape, fill: () => value },
      ...(documents ? { start: startInput(batch, length, documents) } : {}),
    },
    attrs: {},
  }
}

export const occupancyCases: OpCases<Attrs> = {
  cases: [
    at([1, 1, 1]),
    at([2, 0, 3]),
    at([1, 5, 0]),
    at([2, 200, 3]),
    at([2, 333, 2], { documents: 0.01 }),
    at([1, 130, 1], { documents: 0.5 }),
    at([1, 400, 1], { value: -1e-8 }),
    at([1, 130, 2], { value: -80 }),
    at([1, 129, 1], { value: 0 }),
  ],
  fuzz: (random) =>
    at([random.int(1, 2), random.int(1, 300), random.int(1, 3)], {
      ...(random.next() < 0.6 ? { documents: 0.3 * random.next() ** 4 } : {}),
    }),
  bench: [at([1, 4096, 8], { value: -1e-8 }), at([1, 4096, 8])],
}
