import { configFields, type Fields } from './config-fields.ts'
import { isJsonObject } from './json-file.ts'

/** Rotary position embedding, as a checkpoint asks for it. Frequencies are computed from this, in order of channels. */
export type RopeConfig =
  | { readonly kind: 'plain'; readonly theta: number; readonly rotaryDim: number }
  | {
      readonly kind: 'llama3'
      readonly theta: number
      readonly rotaryDim: number
      readonly factor: number
      readonly lowFreqFactor: number
      readonly highFreqFactor: number
      readonly originalMaxPositions: number
    }
  | {
      readonly kind: 'longrope'
      readonly theta: number
      readonly rotaryDim: number
      /** One divisor per frequency, for texts of up to {@link originalMaxPositions} tokens. */
      readonly shortFactor: readonly number[]
      /** The same for longer texts. */
      readonly longFactor: readonly number[]
      readonly originalMaxPositions: number
      /** Multiplies cosine and sine, so attention logits scale with its square. */
      readonly attentionFactor: number
    }

/** What the embedding depends on elsewhere in the configuration. */
export interface RopeSurroundings {
  readonly headDim: number
  readonly maxPositions: number
  /** The family rotates the first `partial_rotary_factor` of a head only, where that is given. */
  readonly allowsPartial: boolean
  /** Of the family, where the file does not say. */
  readonly originalMaxPositions: number | undefined
}

const defaultTheta = 10_000
const positive = { min: Number.MIN_VALUE, max: 1e12 }
/** A length of 1 has no logarithm to divide by. */
const positions = { min: 2, max: 2 ** 31 - 1 }

/**
 * Reads `rope_theta` and `rope_scaling`, or `rope_parameters`, which holds both in newer files.
 * @throws TrimError `TRIMKV_MODEL_UNSUPPORTED` for a scaling that does not exist here, `TRIMKV_CONFIG_INVALID`
 * @see transformers 4.57.1, modeling_rope_utils.py
 */
export function parseRope(config: Fields, around: RopeSurroundings): RopeConfig {
  const rope = ropeFields(config)
  const theta = rope.number('rope_theta', { min: 1, max: 1e15 }) ?? defaultTheta
  const rotaryDim = parseRotaryDim(rope, around)
  const kind = parseKind(rope)
  switch (kind) {
    case 'default':
      return { kind: 'plain', theta, rotaryDim }
    case 'llama3':
      return { kind: 'llama3', theta, rotaryDim, ...parseLlama3(rope) }
    case 'longrope':
      return { kind: 'longrope', theta, rotaryDim, ...parseLongRope(rope, rotaryDim, around) }
    default:
      return rope.unsupported('rope_type', 'default, llama3 or longrope')
  }
}

/**
 * One view of the places a rope field may stand in: the top level, `rope_scaling`, `rope_parameters`. A value that
 * stands in two of them must be the same in both.
 */
function ropeFields(config: Fields): Fields {
  const merged = new Map(topLevelFields.map((name) => [name, config.get(name)]))
  for (const place of ['rope_scaling', 'rope_parameters']) {
    for (const [name, value] of Object.entries(config.object(place)?.raw ?? {})) {
      if (isJsonObject(value)) config.unsupported(place, 'one rope for all layers', `${name} has its own`)
      const other = merged.get(name) ?? value
      if (JSON.stringify(other) !== JSON.stringify(value)) {
        config.invalid(`${place}.${name}`, `${JSON.stringify(other)}, as elsewhere in the file`, value)
      }
      merged.set(name, other)
    }
  }
  const scaling = config.object('rope_scaling')
  if (scaling && !scaling.get('rope_type') && !scaling.get('type'))
    scaling.invalid('rope_type', 'the kind of scaling')
  return configFields(Object.fromEntries(merged), config.file, 'rope: ')
}

const topLevelFields = ['rope_theta', 'partial_rotary_factor', 'original_max_position_embeddings']

/** `type` is the older spelling of `rope_type`, `su` the older name of longrope. */
function parseKind(rope: Fields): string {
  const [kind, older] = ['rope_type', 'type'].map((name) => rope.text(name)?.replace(/^su$/, 'longrope'))
  if (kind !== undefined && older !== undefined && kind !== older)
    rope.invalid('type', `${kind}, as rope_type says`)
  return kind ?? older ?? 'default'
}

function parseRotaryDim(rope: Fields, { headDim, allowsPartial }: RopeSurroundings): number {
  const share = rope.number('partial_rotary_factor', { min: 0, max: 1 }) ?? 1
  if (share !== 1 && !allowsPartial) rope.unsupported('partial_rotary_factor', '1 in this family')
  const rotaryDim = Math.trunc(headDim * share)
  if (rotaryDim >= 2 && rotaryDim % 2 === 0) return rotaryDim
  return rope.invalid(
    'partial_rotary_factor',
    `an even number ≥ 2 of the ${headDim} channels of a head`,
    rotaryDim,
  )
}

function parseLlama3(rope: Fields) {
  const required = (name: string) => rope.required(name, rope.number(name, positive))
  const factor = rope.required('factor', rope.number('factor', { min: 1, max: positive.max }))
  const lowFreqFactor = required('low_freq_factor')
  const highFreqFactor = required('high_freq_factor')
  if (highFreqFactor <= lowFreqFactor)
    rope.invalid('high_freq_factor', `more than low_freq_factor ${lowFreqFactor}`)
  const originalMaxPositions = readOriginalLength(rope, undefined)
  return { factor, lowFreqFactor, highFreqFactor, originalMaxPositions }
}

function parseLongRope(rope: Fields, rotaryDim: number, around: RopeSurroundings) {
  const factors = (name: string): readonly number[] => {
    const values = rope.required(name, rope.numbers(name, positive))
    if (values.length === rotaryDim / 2) return values
    return rope.invalid(name, `${rotaryDim / 2} factors, one per frequency`, `${values.length} factors`)
  }
  const shortFactor = factors('short_factor')
  const longFactor = factors('long_factor')
  const originalMaxPositions = readOriginalLength(rope, around.originalMaxPositions)
  const extension = around.maxPositions / originalMaxPositions
  const given = rope.number('attention_factor', positive)
  const factor = rope.number('factor', positive)
  // Versions of transformers disagree whether `factor` or the ratio of the lengths sets the attention factor.
  if (given === undefined && factor !== undefined && Math.abs(factor - extension) > 1e-6 * extension) {
    rope.invalid('factor', `${extension}, the ratio of the two lengths, or an attention_factor beside it`)
  }
  const attentionFactor = given ?? defaultAttentionFactor(extension, originalMaxPositions)
  return { shortFactor, longFactor, originalMaxPositions, attentionFactor }
}

const defaultAttentionFactor = (extension: number, originalMaxPositions: number): number =>
  extension <= 1 ? 1 : Math.sqrt(1 + Math.log(extension) / Math.log(originalMaxPositions))

const readOriginalLength = (rope: Fields, ofFamily: number | undefined): number => {
  const name = 'original_max_position_embeddings'
  return rope.required(name, rope.integer(name, positions) ?? ofFamily)
}
