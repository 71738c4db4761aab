import { getLlama, LlamaLogLevel, type Token } from 'node-llama-cpp'

/** One model loaded in llama.cpp on the CPU. */
export interface LlamaCpp extends AsyncDisposable {
  /** Raw logits [V] after each of the last `outputs` ids; f32 KV cache, flash attention off. */
  logits(ids: readonly number[], outputs: number): Promise<Float32Array[]>
}

/** Loads a GGUF file; nothing is downloaded or built. */
export async function openLlamaCpp(path: string, options: { readonly vocab: number }): Promise<LlamaCpp> {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    logLevel: LlamaLogLevel.error,
    progressLogs: false,
  })
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 })
  return {
    async logits(ids, outputs) {
      const context = await model.createContext({
        contextSize: Math.max(256, ids.length),
        flashAttention: false,
        experimentalKvCacheKeyType: 'F32',
        experimentalKvCacheValueType: 'F32',
      })
      try {
        const first = ids.length - outputs
        const input = ids.map((id, i) =>
          i < first ? (id as Token) : ([id as Token, { generateNext: { logits: true } }] as const),
        )
        const evaluated = await context.getSequence().controlledEvaluate(input as never)
        return evaluated.slice(first).map((item) => {
          const row = new Float32Array(options.vocab)
          for (const [token, logit] of item!.next.logits!) row[token] = logit
          return row
        })
      } finally {
        await context.dispose()
      }
    },
    async [Symbol.asyncDispose]() {
      await model.dispose()
      await llama.dispose()
    },
  }
}
