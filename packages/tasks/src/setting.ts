/**
 * When the questions come. `stream`: after everything else; `question-first`: also announced before everything else;
 * `interleaved`: throughout, each once its facts were stated.
 */
export type Setting = 'stream' | 'question-first' | 'interleaved'

export const settings: readonly Setting[] = ['stream', 'question-first', 'interleaved']
