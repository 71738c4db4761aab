import type { DType, TensorSpec } from './dtype.ts'
import { fail } from './errors.ts'

const text = (shape: readonly number[]): string => `[${shape.join(', ')}]`

/** Checks shape rules of one op; every failure names the op, the tensor, what was expected and what came. */
export class ShapeRules {
  readonly #op: string
  readonly #known: Partial<Record<string, number>> | undefined

  constructor(op: string, known?: Partial<Record<string, number>>) {
    this.#op = op
    this.#known = known
  }

  /** The same rules with some letters already bound; letters that bind later are added to `known`. */
  with(known: Partial<Record<string, number>>): ShapeRules {
    return new ShapeRules(this.#op, known)
  }

  /**
   * Matches `spec.shape` against a pattern of sizes and letters; a letter binds on first use.
   * @returns the bound letters, for use in later patterns by {@link ShapeRules.with}
   * @throws TRIMKV_SHAPE
   */
  match<L extends string>(
    name: string,
    spec: TensorSpec,
    pattern: readonly (L | number)[],
  ): Record<L, number> {
    const bound = (this.#known ?? {}) as Partial<Record<L, number>>
    const ok =
      spec.shape.length === pattern.length &&
      pattern.every((want, axis) => {
        const size = spec.shape[axis] as number
        if (typeof want === 'number') return want === size
        bound[want] ??= size
        return bound[want] === size
      })
    if (!ok) {
      const expected = pattern.map((p) =>
        typeof p === 'string' && bound[p] !== undefined ? `${p}=${bound[p]}` : p,
      )
      fail('TRIMKV_SHAPE', `[${this.#op}] ${name} has shape ${text(spec.shape)}`, {
        why: [`expected [${expected.join(', ')}]`],
        details: { op: this.#op, tensor: name, shape: [...spec.shape] },
      })
    }
    return bound as Record<L, number>
  }

  /** @throws TRIMKV_DTYPE unless the dtype is one of `allowed` */
  dtype(name: string, spec: TensorSpec, ...allowed: DType[]): void {
    if (!allowed.includes(spec.dtype)) {
      fail('TRIMKV_DTYPE', `[${this.#op}] ${name} is ${spec.dtype}`, {
        why: [`expected ${allowed.join(' or ')}`],
        details: { op: this.#op, tensor: name, dtype: spec.dtype },
      })
    }
  }

  /** @throws TRIMKV_OPTION unless `ok` */
  option(ok: boolean, what: string): void {
    if (!ok) fail('TRIMKV_OPTION', `[${this.#op}] ${what}`, { details: { op: this.#op } })
  }

  /** @throws TRIMKV_SHAPE unless `ok` */
  shape(ok: boolean, what: string): void {
    if (!ok) fail('TRIMKV_SHAPE', `[${this.#op}] ${what}`, { details: { op: this.#op } })
  }
}

/** Dtypes a weight or a KV cache may be stored in. */
export const floatDtypes: readonly DType[] = ['f32', 'bf16', 'f16', 'f8']

/** What weights of a linear map, and tables, are stored in. */
export const weightDtypes: readonly DType[] = [...floatDtypes, 'q8', 'q4']
