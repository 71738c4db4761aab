/** Options of the score that retention gives, for the policies built on it. */
export const decayOptions = {
  score: {
    type: 'choice',
    choices: ['alpha', 'knorm_alpha'],
    default: 'alpha',
    doc: 'alpha: age · log β; knorm_alpha: plus the logarithm of the length of the key',
  },
  lookahead: {
    type: 'int',
    default: 1,
    min: 1,
    doc: 'steps to come over which the retention of a token is summed; 1: its present retention',
  },
} as const
