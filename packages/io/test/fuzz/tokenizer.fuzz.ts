import { type FuzzTarget, fuzzTarget, mutateJson, pick, type SeededRandom } from '@trimkv/testing'
import { loadChatTemplate } from '../../src/chat-template.ts'
import { loadTokenizer } from '../../src/tokenizer.ts'
import { goldenText } from './golden-text.ts'

interface TokenizerJson {
  model: { vocab: Record<string, number>; merges: unknown[] }
}

/** A recorded tokenizer with the first tokens and merges of its vocabulary, so that a case takes a millisecond. */
function small(name: string): { json: string; config: string } {
  const whole = JSON.parse(goldenText(`tokenizers/${name}/tokenizer.json`)) as TokenizerJson
  const vocab = Object.fromEntries(Object.entries(whole.model.vocab).slice(0, 330))
  const merges = whole.model.merges
    .filter((merge) => {
      const [left, right] = typeof merge === 'string' ? merge.split(' ') : (merge as string[])
      return [left, right, `${left}${right}`].every((token) => Object.hasOwn(vocab, token!))
    })
    .slice(0, 60)
  const json = JSON.stringify({ ...whole, model: { ...whole.model, vocab, merges } })
  return { json, config: goldenText(`tokenizers/${name}/tokenizer_config.json`) }
}

const seeds = ['llama3-bpe', 'qwen2-bpe', 'sentencepiece-bpe'].map(small)

const texts = [
  'The quick brown fox',
  ' 12345  \n\n\t x',
  'naïve 中文 😀\u{1f468}\u200d\u{1f469}',
  '\ud800 lone',
  '<|im_start|>user\n',
  '\u0085\ufeff\u00a0',
  '',
]

const statements = [
  '{{ bos_token }}',
  '{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}',
  "{% if add_generation_prompt %}{{ '<|a|>' }}{% endif %}",
  '{% set x = messages[0].content | upper %}{{ x }}',
  "{{ raise_exception('no') }}",
  '{% for i in range(3) %}{{ loop.index }}{% endfor %}',
  '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}',
  "{{ messages | tojson(indent=2) }}{{ messages[0]['content'].split(' ')[-1] }}",
  '{%- set ns = namespace(a=1) -%}{% set ns.a = ns.a + 1 %}{{ ns.a ** 2 }}',
  '{{ "ab" * 3 }}{{ messages[::-1] | length }}{{ tools is defined and none is none }}',
  '{% if',
  '{{ {} }}',
  '{# comment #}',
]

const templateOf = (random: SeededRandom): string =>
  Array.from({ length: random.int(1, 4) }, () => pick(random, statements)).join(
    random.next() < 0.5 ? '' : ' ',
  )

function use(tokenizer: Awaited<ReturnType<typeof loadTokenizer>>, text: string): void {
  const ids = tokenizer.encode(text)
  const whole = tokenizer.decode(ids)
  const pieces = tokenizer.pieces(ids)
  if (pieces.join('') !== whole) throw new Error('the pieces are not the text')
  const stream = tokenizer.streamDecoder({ skipSpecialTokens: true })
  const streamed = ids.map((id) => stream.push(id)).join('') + stream.flush()
  if (streamed !== tokenizer.decode(ids, { skipSpecialTokens: true }))
    throw new Error('the stream is not the text')
  tokenizer.decode([0, tokenizer.vocabSize - 1, tokenizer.vocabSize, 2 ** 40].filter((id) => id >= 0))
}

export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/io/src/tokenizer.ts',
    'packages/io/src/added-tokens.ts',
    'packages/io/src/token-bytes.ts',
    'packages/io/src/token-decoder.ts',
    'packages/io/src/token-text.ts',
    'packages/io/src/chat-template.ts',
  ],
  createCase(random) {
    const { json, config } = pick(random, seeds)
    const text = pick(random, texts)
    if (random.next() < 0.25) {
      const templated = JSON.stringify({ ...JSON.parse(config), chat_template: templateOf(random) })
      const mutated = random.next() < 0.8 ? mutateJson(random, templated) : templated
      const run = async (folder: string): Promise<void> => {
        const template = await loadChatTemplate(folder)
        template?.render([{ role: 'user', content: text }], { addGenerationPrompt: true })
      }
      return { files: { 'tokenizer_config.json': mutated }, run }
    }
    const files = {
      'tokenizer.json': random.next() < 0.95 ? mutateJson(random, json) : json,
      'tokenizer_config.json': random.next() < 0.1 ? mutateJson(random, config) : config,
    }
    return { files, run: async (folder) => use(await loadTokenizer(folder), text) }
  },
})
