import { logBetaInput, startInput } from '../../document-case-inputs.ts'
import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>
type Options = { readonly documents?: number; readonly top?: number }

/** `top`: the fastest decay is −10^top. Where all columns decay past 1e-12 at once there is nothing left to compare. */
const at = (shape: readonly [number, number, number], options: Options = {}): OpCase<Attrs> => {
  const { documents, top = 1.3 } = options
  const [batch, length] = shape
  return {
    name: `[${shape.join(', ')}]${documents ? ` documents ${documents}` : ''} top ${top}`,
    inputs: {
      logBeta: logBetaInput(shape, top),
      ...(documents ? { start: startInput(batch, length, documents) } : {}),
      dy: { dtype: 'f32', shape },
    },
    attrs: {},
  }
}

export const occupancyGradCases: OpCases<Attrs> = {
  cases: [
    at([1, 1, 1]),
    at([2, 0, 3]),
    at([1, 5, 0]),
    at([2, 200, 3], { top: 1.9 }),
    at([2, 333, 2], { documents: 0.01 }),
    at([1, 130, 1], { documents: 0.5 }),
    at([1, 500, 1], { top: -7 }),
  ],
  fuzz: (random) =>
    at([random.int(1, 2), random.int(1, 300), random.int(1, 3)], {
      ...(random.next() < 0.6 ? { documents: 0.3 * random.next() ** 4 } : {}),
    }),
  bench: [at([1, 4096, 8], { top: -7 }), at([1, 4096, 8])],
}
