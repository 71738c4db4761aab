import { fileURLToPath } from 'node:url'

// `src/` and `dist/` are siblings of `model/`, so the same relative path holds before and after the build.
const pathInPackage = (relative: string): string => fileURLToPath(new URL(`../${relative}`, import.meta.url))

/** Absolute path of the bundled model: `config.json`, `model.safetensors` (f32), `tokenizer.json`. */
export const referenceModelDir: string = pathInPackage('model')

/** Absolute path of its retention gates: `config.json`, `retention_gates.safetensors` (f32). */
export const referenceGatesDir: string = pathInPackage('model/gates')

/** Absolute path of how they were made: the metrics of both trainings, `model-metrics.jsonl` and `gates-metrics.jsonl`. */
export const referenceTrainingDir: string = pathInPackage('model/training')
