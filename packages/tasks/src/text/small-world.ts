import type { Random } from '../random.ts'

/** The words of recall, chain and code texts. A model that knows no others can read all three tasks. */
export const things: readonly string[] =
  'basket bell book box candle coin cup drum feather hat kettle key lamp map mirror pen ring rope stone sword'.split(
    ' ',
  )
export const places: readonly string[] =
  'attic barn cave cellar church garden hall harbor kitchen library market mill office park school shed station tower tunnel yard'.split(
    ' ',
  )
const people = 'ana ben cleo dan eva finn gia hugo ida jon kai lea max nia omar pia'.split(' ')
const acts = 'dreams eats laughs reads runs sings sleeps smiles talks waits walks works'.split(' ')
const manners = 'again alone early happily late loudly outside quietly slowly today'.split(' ')

/** `plain` sentences are about people alone; `mentioning` ones also name things and places, without putting one anywhere. */
export type SmallNoise = 'plain' | 'mentioning'

export const smallNoises: readonly SmallNoise[] = ['plain', 'mentioning']

type Form = (random: Random) => string

const plainForms: readonly { readonly words: number; readonly write: Form }[] = [
  { words: 4, write: (r) => `${r.pick(people)} ${r.pick(acts)} ${r.pick(manners)} .` },
  { words: 5, write: (r) => `${r.pick(people)} ${r.pick(acts)} with ${r.pick(people)} .` },
  {
    words: 7,
    write: (r) => {
      const first = `${r.pick(people)} ${r.pick(acts)} ${r.pick(manners)}`
      return `${first} while ${r.pick(people)} ${r.pick(acts)} .`
    },
  },
]

const forms = {
  plain: plainForms,
  mentioning: [
    ...plainForms,
    { words: 4, write: (r: Random) => `${r.pick(people)} visits ${r.pick(places)} .` },
    { words: 4, write: (r: Random) => `${r.pick(people)} sees ${r.pick(things)} .` },
  ],
}

/** Sentences that state nothing to be asked for; together at most 3 words short of `words`. */
export function smallNoise(random: Random, kind: SmallNoise, words: number): string[] {
  const sentences: string[] = []
  let left = words
  while (left >= 4) {
    const form = random.pick(forms[kind].filter((candidate) => candidate.words <= left))
    sentences.push(form.write(random))
    left -= form.words
  }
  return sentences
}
