// What more than one preset says of the schedule that its policy has elsewhere.

/** The R-KV repository's schedule. */
export const everyMultiple =
  'theirs cuts a prompt longer than the budget at once, and then whenever the length of the text is a multiple of 128'

/** kvpress's DecodingPress. */
export const promptWhole = 'theirs leaves the prompt whole until the first cut while decoding'
