import type { Ops, ProtectedRange, TensorLike } from '@trimkv/tensor'

/** The rotary embedding of the model at work. */
export interface Rotary<T> {
  /** [F, R/2] f32: one row for all sequences (F = 1) or one each (F = B). */
  readonly invFreq: T
  /** Factor of cosines and sines. */
  readonly scale: number
  /** Rotary position of the token with index 0. */
  readonly offset: number
}

/** Queries of a prompt before rotation. */
export interface RawQueries<T> {
  /** [B, C, Hq, D] f32 */
  readonly q: T
  /** [B, C] i32, their tokens' indices. */
  readonly index: T
}

/** One layer of some sequences while slots are rated: B sequences, `cap` slots of which `count` are filled. */
export interface LayerView<T> {
  readonly layer: number
  /** [B, H, cap, D] in the cache's dtype. */
  readonly keys: T
  /** [B, H, cap, D] */
  readonly values: T
  /** [B, H, cap] i32, index in the text of the token in each slot. */
  readonly slotIndex: T
  /** [B, H] i32 */
  readonly count: T
  /** [B] i32, tokens read so far: index of the newest + 1. */
  readonly seen: T
  /** 1/√D */
  readonly scale: number
  /** Tokens that stay whatever their rating, pinned ones among them; they are rated +∞ in the end. */
  readonly protect: ProtectedRange
  /** Declared column [B, H, cap] f32. @throws TRIMKV_POLICY_CONTRACT when it is not declared */
  column(name: string): T
  /** Queries of the last w tokens [B, w, Hq, D] f32, token i in row i mod w. @throws TRIMKV_POLICY_CONTRACT */
  window(): T
  /** Queries of the prompt before rotation. @throws TRIMKV_POLICY_CONTRACT when they are not declared */
  rawQueries(): RawQueries<T>
  /** @throws TRIMKV_POLICY_CONTRACT when it is not declared */
  rotary(): Rotary<T>
}

/** One layer of one sequence as plain numbers; slots come in storage order, see `positions`. */
export interface HostView {
  readonly layer: number
  /** Tokens read so far. */
  readonly seen: number
  /** Key/value heads. */
  readonly heads: number
  readonly queryHeads: number
  readonly headDim: number
  /** Number of filled slots n of a key/value head. */
  length(head: number): number
  /** Index in the text of the token in each slot [n]. */
  positions(head: number): Int32Array
  /** Keys [n, D], row-major. */
  keys(head: number): Float32Array
  /** Values [n, D], row-major. */
  values(head: number): Float32Array
  /** A declared column [n]. @throws TRIMKV_POLICY_CONTRACT when it is not declared */
  column(name: string, head: number): Float32Array
  /** Queries of the last min(w, seen) tokens of one query head, oldest first, row-major. @throws TRIMKV_POLICY_CONTRACT */
  queries(queryHead: number): Float32Array
}

/** A computation over the slots of a layer: every score and transform written over tensor ops has this form. */
export type SlotComputation = <T extends TensorLike>(ops: Ops<T>, view: LayerView<T>) => T
