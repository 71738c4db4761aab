import { type ErrorCode, fail } from '@trimkv/tensor'

/** One fact about a file that is not as it must be. */
interface Finding {
  readonly file: string
  /** The part of the file: a JSON field, a tensor name, a byte offset. */
  readonly field: string
  readonly expected: string
  readonly got: unknown
  readonly hint?: string
  readonly cause?: unknown
  /** `TRIMKV_FORMAT` unless the file is a configuration or asks for something that does not exist here. */
  readonly code?: ErrorCode
}

/** Characters of a message that come from a file: one value, and a place or an expectation that names things of it. */
const longest = { value: 96, place: 480 }

const shortened = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length)}…`

function show(value: unknown): string {
  if (value instanceof Error) return shortened(value.message, longest.place)
  if (typeof value === 'bigint') return String(value)
  return shortened(value === undefined ? 'nothing' : JSON.stringify(beginning(value)), longest.value)
}

/** As much of a value as is shown: a list or a text of a file may be too long to be written out. */
function beginning(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return [...(value as Uint8Array).subarray(0, longest.value)]
  return Array.isArray(value) || typeof value === 'string' ? value.slice(0, longest.value) : value
}

/**
 * Reports a malformed file: which file, which part of it, what was expected and what came.
 * @throws always; `details` carries the fields of the finding
 */
export function malformed({
  file,
  field,
  expected,
  got,
  hint,
  cause,
  code = 'TRIMKV_FORMAT',
}: Finding): never {
  return fail(code, `${file}: ${shortened(field, longest.place)}`, {
    why: [`expected ${shortened(expected, longest.place)}`, `got ${show(got)}`],
    details: { file, field, expected, got },
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  })
}
