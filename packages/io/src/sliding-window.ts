import type { Fields } from './config-fields.ts'

interface Surroundings {
  /** Whether the family slides when `sliding_window` is set, only with `use_sliding_window` beside it, or never. */
  readonly rule: 'when-set' | 'when-switched-on' | 'never'
  readonly numLayers: number
  readonly maxPositions: number
}

const windows = { min: 1, max: Number.MAX_SAFE_INTEGER }
/** Of the Qwen classes, for files that do not say. */
const defaultFullLayers = 28

/**
 * Attention here sees every stored token. A model with a sliding window that cuts off any before its longest text would
 * give other numbers, so it is refused; a window that is off, or at least as long as the longest text, is not.
 * @throws TrimError `TRIMKV_MODEL_UNSUPPORTED` naming the field
 * @see transformers 4.57.1, configuration_qwen2.py (`use_sliding_window`, `max_window_layers`), modeling_phi3.py
 */
export function refuseSlidingWindow(config: Fields, { rule, numLayers, maxPositions }: Surroundings): void {
  const layerTypes = readLayerTypes(config, numLayers)
  const isOn =
    rule === 'when-switched-on' ? (config.boolean('use_sliding_window') ?? false) : rule === 'when-set'
  if (!isOn) {
    if (layerTypes.includes('sliding_attention'))
      config.unsupported('layer_types', 'full_attention everywhere')
    return
  }
  const window = config.integer('sliding_window', windows)
  if (window === undefined || window >= maxPositions) return
  if (rule === 'when-switched-on' && !slidesAnywhere(config, layerTypes, numLayers)) return
  config.unsupported(
    'sliding_window',
    `none, or at least max_position_embeddings ${maxPositions}`,
    'the model would attend inside a sliding window; only full attention is computed here',
  )
}

/** Without a list of layer types, layers from `max_window_layers` on slide. */
const slidesAnywhere = (config: Fields, layerTypes: readonly string[], numLayers: number): boolean =>
  layerTypes.length > 0
    ? layerTypes.includes('sliding_attention')
    : (config.integer('max_window_layers', { min: 0, max: 1e6 }) ?? defaultFullLayers) < numLayers

/** One per layer; empty when the file has none. */
function readLayerTypes(config: Fields, numLayers: number): readonly string[] {
  const value = config.get('layer_types')
  if (value === undefined) return []
  if (!Array.isArray(value)) return config.invalid('layer_types', 'a list')
  if (value.length !== numLayers) config.invalid('layer_types', `${numLayers} entries`, value.length)
  const isKnown = (type: unknown) => type === 'full_attention' || type === 'sliding_attention'
  return value.every(isKnown) ? value : config.unsupported('layer_types', 'full_attention everywhere')
}
