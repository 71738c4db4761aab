import { gateKinds } from '@trimkv/io'
import { Option } from 'commander'
import { repeated } from './flags.ts'
import { gateRecipeNames } from './training-settings.ts'

const flag =
  (group: 'Data' | 'Gates' | 'Loss' | 'Steps' | 'Run') =>
  (flags: string, description: string): Option =>
    new Option(flags, description).helpGroup(`${group}:`)

const data = flag('Data')
const gates = flag('Gates')
const loss = flag('Loss')
const steps = flag('Steps')
const run = flag('Run')

type Flags = 'data' | 'gates' | 'steps' | 'accumulation' | 'run'

/** Flags of trainings, made anew for each command. A default in brackets is what holds where a recipe says nothing else. */
export const trainingFlags: Readonly<Record<Flags, () => Option[]>> = {
  data: () => [
    data(
      '--data <what>',
      'a file with one JSON record per line (text; messages; or prompt and completion), or generated texts, as task:option=value,…; may be given several times',
    ).argParser(repeated),
    data('--length <n>', "tokens of a row at most (default: the recipe's; 1024 for generated texts)"),
    data('--rows <n>', 'rows of a batch'),
    data('--packing', 'several documents share a row'),
    data('--no-packing', 'every document has a row of its own'),
    data('--validate-every <n>', 'steps between validations; the best of them is written (default: none)'),
    data('--validation-share <share>', 'share of the records that is held out (default: 0.02)'),
    data('--validation-batches <n>', 'batches of a validation (default: 8)'),
  ],
  gates: () => [
    gates(
      '--recipe <name>',
      'values for everything that is not given; math and paper read every record once (default: long-context)',
    ).choices(gateRecipeNames),
    gates('--kind <kind>', 'what gates read, and how they are built').choices(gateKinds),
    gates('--units <n>', 'hidden units of a gate'),
    gates('--bias <b>', 'gates start at log sigmoid(b)'),
    loss('--budget <size>', 'tokens per head that gates learn to keep: 512, or 25% of a row'),
    loss('--kl <direction>', 'divergence from the model without gates').choices([
      'forward',
      'reverse',
      'none',
    ]),
    loss('--ntp', 'next-token loss').hideHelp(),
    loss('--no-ntp', 'leave out the next-token loss'),
    loss('--combine <how>', 'how these two make one').choices(['mean', 'sum']),
    loss('--capacity <scope>', 'hold every head to the budget, or all of them together').choices([
      'head',
      'global',
    ]),
    loss('--capacity-form <form>', "normalised as in the released code, or by the paper's formula").choices([
      'code',
      'paper',
    ]),
    loss('--capacity-weight <x>', 'factor of the capacity term, 0 = none'),
  ],
  steps: () => [
    steps('--steps <n>', "updates (default: the recipe's)"),
    steps('--lr <x>', 'highest learning rate'),
    steps('--warmup <n>', "steps to reach it (default: the recipe's, a tenth of all at most)"),
    steps('--weight-decay <x>', 'of matrices'),
    steps('--clip <x>', 'largest norm of all gradients together'),
    steps('--seed <n>', 'of first weights and of the order of the data'),
  ],
  accumulation: () => [steps('--accumulation <n>', 'batches whose gradients make one update')],
  run: () => [
    run('--checkpoint-every <n>', 'steps between checkpoints (default: 50)'),
    run('--restart', 'discard the run in DIR/run and start anew'),
    run('--threads <n>', 'worker threads (default: all cores)'),
  ],
}
