/** Bytes of the argument of an opcode, from the byte after it. */
function argumentBytes(opcode: number, rest: Buffer): number {
  const lineEnd = (from: number): number => rest.indexOf(0x0a, from) + 1
  switch (opcode) {
    case 0x80:
    case 0x4b:
    case 0x71:
    case 0x68:
      return 1
    case 0x4d:
      return 2
    case 0x4a:
    case 0x72:
    case 0x6a:
      return 4
    case 0x95:
    case 0x47:
      return 8
    case 0x8a:
    case 0x8c:
      return 1 + rest[0]!
    case 0x58:
      return 4 + rest.readUInt32LE()
    case 0x8d:
      return 8 + Number(rest.readBigUInt64LE())
    case 0x63:
      return lineEnd(lineEnd(0))
    default:
      return 0
  }
}

/** The operations of a pickle, each an opcode with its argument. @see CPython Lib/pickletools.py */
export function splitPickle(pickle: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < pickle.length; ) {
    const length = 1 + argumentBytes(pickle[at]!, pickle.subarray(at + 1))
    parts.push(pickle.subarray(at, at + length))
    at += length
  }
  return parts
}
