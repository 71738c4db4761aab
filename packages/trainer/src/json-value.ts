/** What JSON can hold and give back unchanged. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

/** What JSON keeps of a value: fields that are undefined fall away. */
export const jsonCopy = (value: unknown): JsonValue => JSON.parse(JSON.stringify(value)) as JsonValue
