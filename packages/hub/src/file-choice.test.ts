import { describe, expect, it } from 'vitest'
import { gateFiles, matchingNames, modelFiles, shardsBeside, unmetPatterns } from './file-choice.ts'

describe('matchingNames', () => {
  it.each([
    ['*.json', ['a.json', 'b.json'], ['a.jsonl', 'c/a.json', 'a_json']],
    ['**/*.json', ['c/a.json', 'c/d/a.json'], ['a.json']],
    ['**', ['a', 'b/c/d'], []],
    ['{a,b*}.json', ['a.json', 'bc.json'], ['c.json', 'a,b.json']],
    ['a,b', ['a,b'], ['a', 'b']],
    ['a+(b)[c].$', ['a+(b)[c].$'], ['aab', 'abc']],
  ])('%s', (pattern, fitting, others) => {
    expect(matchingNames([...fitting, ...others], [pattern])).toEqual(fitting)
  })

  it.each(['{a', 'a}', '{a{b}}', '}{'])('refuses %s', (pattern) => {
    expect(() => matchingNames(['a'], [pattern])).toThrow(/brace/)
  })
})

it('a model is its weights, configurations and tokenizer, and nothing below', () => {
  const wanted = [
    'config.json',
    'generation_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'chat_template.jinja',
    'model-00001-of-00002.safetensors',
    'model.safetensors.index.json',
  ]
  const others = [
    'README.md',
    'pytorch_model.bin',
    'consolidated.safetensors',
    'onnx/config.json',
    '.gitattributes',
  ]
  expect(matchingNames([...wanted, ...others], modelFiles.patterns)).toEqual(wanted)
  expect(unmetPatterns(wanted, modelFiles)).toEqual([])
  expect(unmetPatterns(['config.json', 'pytorch_model.bin'], modelFiles)).toEqual(['model*.safetensors'])
})

describe('shardsBeside', () => {
  const index = 'model.safetensors.index.json'
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']

  it('tells the other shards and the index', () => {
    expect(shardsBeside([shards[1]!, 'config.json'])).toEqual([index, ...shards])
    expect(shardsBeside(shards)).toEqual([index, ...shards])
    expect(shardsBeside(['a/b-00001-of-00001.safetensors'])).toEqual([
      'a/b.safetensors.index.json',
      'a/b-00001-of-00001.safetensors',
    ])
  })

  it('tells nothing of others, or beside a file that holds all', () => {
    expect(
      shardsBeside(['model.safetensors', 'model-1.safetensors', 'model-00001-of-2.safetensors']),
    ).toEqual([])
    expect(shardsBeside(['model.safetensors', shards[0]!])).toEqual([])
  })
})

it('gates come in either layout', () => {
  expect(unmetPatterns(['config.json', 'trimkv_weights.pth'], gateFiles)).toEqual([])
  expect(unmetPatterns(['config.json', 'retention_gates.safetensors'], gateFiles)).toEqual([])
  expect(unmetPatterns(['config.json', 'model.safetensors'], gateFiles)).toHaveLength(1)
})
