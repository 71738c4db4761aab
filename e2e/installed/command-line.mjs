// Runs each command of the command line that has a loop, a file or a thread of its own, once and shortly.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { referenceModelDir as model, referenceGatesDir } from '@trimkv/reference-model'

const folder = mkdtempSync('command line ')
const inFolder = (name) => join(folder, name)
const chatModel = inFolder('model')
cpSync(model, chatModel, { recursive: true })
const template = '{{ bos_token }}{% for m in messages %} {{ m.content }}{% endfor %}'
writeFileSync(join(chatModel, 'chat_template.jinja'), template)

/** What a command prints, which is to end well. */
function trimkv(args, input = '') {
  const program = fileURLToPath(new URL('node_modules/trimkv/bin/trimkv.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    input,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}\n${stderr}`)
  return stdout
}

function expect(found, wanted) {
  if (!wanted.test(found)) throw new Error(`expected ${wanted}, got ${found}`)
}

const gates = ['--gates', referenceGatesDir]
const prompt = ['--prompt', 'put key library . ida smiles . find key']
const one = ['--max-new', '1']
expect(trimkv(['generate', model, ...gates, ...prompt, ...one]), /^ library\n$/)

const talk = inFolder('talk.trimkv')
const lines = 'put key library . put stone kitchen . find key\n. find stone\n'
const chat = ['chat', chatModel, '--policy', 'full', ...one, '--session', talk]
expect(trimkv(chat, lines), /^ library\n kitchen\n$/)
expect(trimkv(['cache', 'show', talk]), /conversation +4 messages/)

const cache = inFolder('read.trimkv')
expect(trimkv(['cache', 'save', model, ...gates, ...prompt, '-o', cache]), /tokens read/)
expect(trimkv(['cache', 'show', cache]), /tokens read/)

const policies = ['--policies', 'full,trimkv', '--budget', '8']
expect(trimkv(['compare', model, ...gates, ...prompt, ...policies, ...one]), /library/)

const converted = inFolder('converted')
expect(trimkv(['convert', 'gates', referenceGatesDir, '--to', 'torch', '--out', converted]), /\.pth/)

const trained = inFolder('trained')
const small = ['--units', '8', '--data', 'recall:facts=1', '--length', '48', '--steps', '2']
trimkv(['train', 'gates', model, '--out', trained, ...small])
if (!existsSync(join(trained, 'retention_gates.safetensors'))) throw new Error('the training wrote no gates')
