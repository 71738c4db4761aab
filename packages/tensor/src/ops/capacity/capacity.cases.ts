import { startInput } from '../../document-case-inputs.ts'
import type { OpCase, OpCases } from '../../op-case.ts'
import type { CapacityAttrs } from './capacity.ts'

type Shape = readonly [number, number, number]
type Options = Partial<CapacityAttrs> & { readonly documents?: number; readonly fill?: number }

/** Occupancies on both sides of the budget. */
export function capacityCase(shape: Shape, options: Options = {}): OpCase<CapacityAttrs> {
  const { budget = 6, scope = 'head', form = 'code', documents, fill } = options
  const [batch, length] = shape
  return {
    name: `[${shape.join(', ')}] ${form} ${scope} ${budget}${documents ? ` documents ${documents}` : ''}`,
    inputs: {
      occupancy: {
        dtype: 'f32',
        shape,
        fill: (_, random) => fill ?? 1 + 2 * budget * random.next(),
      },
      ...(documents ? { start: startInput(batch, length, documents) } : {}),
    },
    attrs: { budget, scope, form },
  }
}

const scopes = ['head', 'global'] as const
const forms = ['code', 'paper'] as const

export const capacityCases: OpCases<CapacityAttrs> = {
  cases: [
    ...scopes.flatMap((scope) =>
      forms.flatMap((form) => [
        capacityCase([1, 1, 1], { scope, form }),
        capacityCase([2, 0, 3], { scope, form }),
        capacityCase([1, 4, 0], { scope, form }),
        capacityCase([2, 70, 5], { scope, form }),
        capacityCase([2, 150, 3], { scope, form, documents: 0.05 }),
        capacityCase([1, 9, 2], { scope, form, fill: 6 }),
      ]),
    ),
    capacityCase([1, 40, 2], { budget: 0.5 }),
  ],
  fuzz: (random) =>
    capacityCase([random.int(1, 2), random.int(0, 90), random.int(1, 7)], {
      budget: random.int(1, 40) / 4,
      scope: scopes[random.int(0, 1)]!,
      form: forms[random.int(0, 1)]!,
      ...(random.next() < 0.5 ? { documents: 0.1 } : {}),
    }),
  bench: [capacityCase([1, 4096, 224]), capacityCase([1, 4096, 224], { scope: 'global' })],
}
