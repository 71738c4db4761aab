/** A linear map `y = x Wᵀ + b`. */
export interface Projection<W> {
  /** [out, in] */
  readonly weight: W
  /** [out] */
  readonly bias?: W
}

/** Weights of one layer by role. `W` is where a weight is stored ({@link StoredWeight}) or the tensor itself. */
export interface LayerWeights<W> {
  /** [hidden] */
  readonly inputNorm: W
  /** [heads · headDim, hidden] */
  readonly query: Projection<W>
  /** [kvHeads · headDim, hidden] */
  readonly key: Projection<W>
  /** [kvHeads · headDim, hidden] */
  readonly value: Projection<W>
  /** [headDim]; RMS norm of every query head before rotation, in models that have it */
  readonly queryNorm?: W
  /** [headDim]; the same for key heads */
  readonly keyNorm?: W
  /** [hidden, heads · headDim] */
  readonly output: Projection<W>
  /** [hidden] */
  readonly mlpNorm: W
  /** [intermediate, hidden] */
  readonly gate: Projection<W>
  /** [intermediate, hidden] */
  readonly up: Projection<W>
  /** [hidden, intermediate] */
  readonly down: Projection<W>
}

/** Weights of a decoder by role. A tied head is the embedding itself. */
export interface DecoderWeights<W> {
  /** [vocab, hidden] */
  readonly embedding: W
  readonly layers: readonly LayerWeights<W>[]
  /** [hidden] */
  readonly finalNorm: W
  /** [vocab, hidden] */
  readonly head: W
}

/** Where a weight is found in a checkpoint: a stored tensor, or some of its rows. */
export interface StoredWeight {
  readonly name: string
  /** Shape of the stored tensor. */
  readonly shape: readonly number[]
  /** Rows of the stored tensor that are this weight; all of them when absent. */
  readonly rows?: { readonly start: number; readonly length: number }
}

/** The same projection holding something else. */
export function mapProjection<A, B>(projection: Projection<A>, map: (weight: A) => B): Projection<B> {
  const weight = map(projection.weight)
  return projection.bias === undefined ? { weight } : { weight, bias: map(projection.bias) }
}

function mapLayer<A, B>(layer: LayerWeights<A>, map: (weight: A) => B): LayerWeights<B> {
  return {
    inputNorm: map(layer.inputNorm),
    query: mapProjection(layer.query, map),
    key: mapProjection(layer.key, map),
    value: mapProjection(layer.value, map),
    ...(layer.queryNorm !== undefined && { queryNorm: map(layer.queryNorm) }),
    ...(layer.keyNorm !== undefined && { keyNorm: map(layer.keyNorm) }),
    output: mapProjection(layer.output, map),
    mlpNorm: map(layer.mlpNorm),
    gate: mapProjection(layer.gate, map),
    up: mapProjection(layer.up, map),
    down: mapProjection(layer.down, map),
  }
}

/** The same roles holding something else; `map` sees every role once, in the order of the forward pass. */
export function mapWeights<A, B>(weights: DecoderWeights<A>, map: (weight: A) => B): DecoderWeights<B> {
  return {
    embedding: map(weights.embedding),
    layers: weights.layers.map((layer) => mapLayer(layer, map)),
    finalNorm: map(weights.finalNorm),
    head: map(weights.head),
  }
}
