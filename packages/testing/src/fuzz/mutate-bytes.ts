import type { SeededRandom } from '../seeded-random.ts'

/** Bytes with up to four random edits: flipped, overwritten, cut, repeated or inserted; in one of ten cases truncated. */
export function mutateBytes(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  let edited = Uint8Array.from(bytes)
  for (let i = random.int(1, 4); i > 0; i--) {
    const at = random.int(0, edited.length)
    const end = Math.min(edited.length, at + random.int(1, 16))
    const kind = random.int(0, 3)
    if (kind === 0 && at < edited.length) edited[at]! ^= 1 << random.int(0, 7)
    if (kind === 1) edited.fill(random.int(0, 255), at, end)
    if (kind === 2) edited = joined(edited.subarray(0, at), edited.subarray(end))
    if (kind === 3) edited = joined(edited.subarray(0, end), edited.subarray(at))
  }
  return random.next() < 0.1 ? edited.subarray(0, random.int(0, edited.length)) : edited
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.concat(parts))
