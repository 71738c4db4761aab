import { definePolicy, type Policy } from '../policy.ts'
import { promptWindow, promptWindowOptions, pyramid } from '../prompt-window.ts'

/** SnapKV's rating of the prompt, with budgets that fall from the first layer to the last. The budget is their mean. */
export const pyramidkv: Policy = definePolicy({
  name: 'pyramidkv',
  source: 'PyramidKV (arXiv:2406.02069), KVCache-Factory pyramidkv_utils.py; kvpress pyramidkv_press.py',
  formula:
    'that of snapkv after a prompt; of C − w tokens per layer, layer l keeps max − l · step and its last w: min = ⌊(C − w)/beta⌋, max = 2(C − w) − min, step = ⌊(max − min)/(L − 1)⌋',
  phases: ['prefill-aware'],
  options: {
    ...promptWindowOptions,
    beta: { type: 'int', default: 20, min: 1, doc: 'the last layer gets 1/beta of an even share' },
    form: {
      type: 'choice',
      choices: ['paper', 'kvpress'],
      default: 'paper',
      doc: 'paper: whole numbers, the window on top of the pyramid; kvpress: the window inside it, rounded at the end',
    },
    ratio: {
      type: 'number',
      default: 0,
      min: 0,
      max: 0.999,
      doc: 'share of the prompt that goes, with form=kvpress, even of one that fits; the budget is the most that stays in the mean',
    },
  },
  presets: [
    {
      name: 'paper, class defaults',
      options: { window: 64, kernel: 5, pool: 'avg' },
      cache: { budget: 320 },
    },
    { name: 'KVCache-Factory script', options: { window: 8, kernel: 7, pool: 'max' } },
    {
      name: 'kvpress',
      options: { form: 'kvpress', ratio: 0.5 },
      note: 'ratio is compression_ratio; a budget of at least (1 − ratio) times the prompt leaves it alone',
    },
  ],
  parts: ({ window, kernel, pool, beta, form, ratio }, { budget, shape }) => ({
    ...promptWindow({ window, kernel, pool }),
    protect: { last: window },
    allocate: pyramid({ budget, layers: shape.layers, window, beta }, form === 'kvpress' ? ratio : undefined),
  }),
})
