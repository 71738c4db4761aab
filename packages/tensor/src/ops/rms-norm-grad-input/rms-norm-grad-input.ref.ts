import type { RefArray } from '../../op.ts'

export function rmsNormGradInputRef(
  { x, weight, dy }: { readonly x: RefArray; readonly weight: RefArray; readonly dy: RefArray },
  { out }: { readonly out: RefArray },
  { eps }: { readonly eps: number },
): void {
  const [rows, width] = x.shape as [number, number]
  for (let n = 0; n < rows; n++) {
    const at = n * width
    let [squares, along] = [0, 0]
    for (let c = 0; c < width; c++) {
      squares += x.data[at + c]! ** 2
      along += dy.data[at + c]! * weight.data[c]! * x.data[at + c]!
    }
    const scale = 1 / Math.sqrt(squares / width + eps)
    const pull = (scale ** 2 * along) / width
    for (let c = 0; c < width; c++)
      out.data[at + c] = scale * (dy.data[at + c]! * weight.data[c]! - x.data[at + c]! * pull)
  }
}
