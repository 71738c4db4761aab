import type { RefArray } from '../../op.ts'

export function rmsNormGradWeightRef(
  { x, dy }: { readonly x: RefArray; readonly dy: RefArray },
  { out }: { readonly out: RefArray },
  { eps }: { readonly eps: number },
): void {
  const [rows, width] = x.shape as [number, number]
  for (let n = 0; n < rows; n++) {
    let sum = 0
    for (let c = 0; c < width; c++) sum += x.data[n * width + c]! ** 2
    const scale = 1 / Math.sqrt(sum / width + eps)
    for (let c = 0; c < width; c++) out.data[c]! += dy.data[n * width + c]! * x.data[n * width + c]! * scale
  }
}
