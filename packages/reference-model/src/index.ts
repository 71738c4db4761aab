import { fileURLToPath } from 'node:url'

// `src/` and `dist/` are siblings of `model/`, so the same relative path holds before and after the build.
const pathInPackage = (relative: string): string => fileURLToPath(new URL(`../${relative}`, import.meta.url))

/** Absolute path of the bundled model: `config.json`, `model.safetensors` (f32), `tokenizer.json`. */
export const referenceModelDir: string = pathInPackage('model')

/** Absolute path of its retention gates in the published layout: `config.json`, `trimkv_weights.pth` (bf16). */
export const referenceGatesDir: string = pathInPackage('model/gates')

/**
 * Absolute path of 144 held-out texts, one JSON object per line: `task`, `text`, `ids`, and `answers`, the indices
 * into `ids` that can only be predicted from earlier text.
 */
export const referenceTestFile: string = pathInPackage('model/test.jsonl')
