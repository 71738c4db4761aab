// `ignoreBOM` keeps a byte order mark: in the middle of a text it is a character like any other.
const lossy = new TextDecoder('utf-8', { ignoreBOM: true })
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/** Text of `bytes`, with U+FFFD for each maximal part that is no UTF-8. */
export const decodeLossy = (bytes: readonly number[]): string => lossy.decode(Uint8Array.from(bytes))

/** Text of `bytes`; undefined when they are no UTF-8. */
export function decodeStrict(bytes: readonly number[]): string | undefined {
  try {
    return strict.decode(Uint8Array.from(bytes))
  } catch {
    return undefined
  }
}

/** Number of bytes at the end that begin a character without completing it: 0 to 3. */
export function incompleteTail(bytes: readonly number[]): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes.at(-length)!
    const isContinuation = byte >= 0x80 && byte < 0xc0
    if (!isContinuation) return length < characterLength(byte) ? length : 0
  }
  return 0
}

/** Bytes of the character that `lead` begins, by its highest bits. */
function characterLength(lead: number): number {
  if (lead < 0xc0) return 1
  if (lead < 0xe0) return 2
  return lead < 0xf0 ? 3 : 4
}

/**
 * Bytes of a byte-level token: printable Latin-1 characters are their own byte, the other bytes are written as U+0100 and
 * up, in order. A token with any other character (an added one) is its own UTF-8.
 * @see GPT-2, encoder.py, `bytes_to_unicode`
 */
export function bytesOfToken(token: string): readonly number[] {
  byteOfCharacter ??= makeTable()
  const bytes: number[] = []
  for (const character of token) {
    const byte = byteOfCharacter.get(character)
    if (byte === undefined) return [...Buffer.from(token)]
    bytes.push(byte)
  }
  return bytes
}

let byteOfCharacter: ReadonlyMap<string, number> | undefined

function makeTable(): ReadonlyMap<string, number> {
  const table = new Map<string, number>()
  let next = 0x100
  for (let byte = 0; byte < 256; byte++) {
    const isPrintable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    table.set(String.fromCharCode(isPrintable ? byte : next++), byte)
  }
  return table
}
