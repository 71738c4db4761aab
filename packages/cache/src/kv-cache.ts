/** What one layer of a model hands to its cache for the new tokens of a forward. */
export interface LayerTokens<T> {
  /** Queries after RoPE [B, C, Hq, D] f32. */
  readonly q: T
  /** Keys after RoPE [B, C, H, D] f32. */
  readonly k: T
  /** Values [B, C, H, D] f32. */
  readonly v: T
  /** Log retention of each new token [B, C, H] f32; required when `needs.logBeta`. */
  readonly logBeta?: T | undefined
  /** ‖W_o v‖₁ of each new token [B, C, H] f32; required when `needs.outputNorm`. */
  readonly outputNorm?: T | undefined
  /** Queries before RoPE [B, C, Hq, D] f32; required when `needs.rawQueries`. */
  readonly rawQueries?: T | undefined
  /** Hidden state after the input norm, what queries, keys and values are projected from [B, C, W] f32; required when `needs.input`. */
  readonly input?: T | undefined
}

/** What a cache reads beside q, k and v in one forward. */
export interface ForwardNeeds {
  readonly logBeta: boolean
  readonly outputNorm?: boolean
  readonly rawQueries?: boolean
  readonly input?: boolean
}

/**
 * A cache as a model sees it while its forward is built, eager or recorded: one call per layer, in layer order.
 * What is stored, what is dropped and when is decided before the forward is built and hidden behind this call.
 */
export interface KvCache<T> {
  /** What the cache reads beside q, k and v: models leave out the work for anything that is false. */
  readonly needs: ForwardNeeds
  /**
   * Stores the new tokens of a layer and attends over what the layer holds.
   * @returns attention output [B, C, Hq, D] f32
   * @throws TRIMKV_GATES_MISMATCH when `needs.logBeta` and `tokens.logBeta` is missing
   */
  attend(layer: number, tokens: LayerTokens<T>): T
}

/** A cache in the course of one planned forward. */
export interface BoundForward<T> extends KvCache<T> {
  /**
   * Per layer the ratings [B, H, slots] f32 of the first seats that evict in this forward, +∞ for protected tokens;
   * nothing where no seat evicts. Where the attention pass finds the victim itself: those of all seats, if asked for.
   */
  readonly scores: readonly (T | undefined)[]
}
