import { createDevice, type Device, type Ops, type Program, type Tensor } from '@trimkv/tensor'
import { interleaved, type Measured } from './interleaved.ts'
import { gigaflops, milliseconds, percent, printTable, type SectionOptions } from './report.ts'

/** Sizes of a training attention: B rows of T tokens, Hq query heads over H key heads of size D. */
interface AttentionShape {
  readonly B: number
  readonly T: number
  readonly Hq: number
  readonly H: number
  readonly D: number
}

const shapes: Readonly<Record<string, AttentionShape>> = {
  'Qwen3-0.6B at 4096': { B: 1, T: 4096, Hq: 16, H: 8, D: 128 },
  'reference model': { B: 16, T: 256, Hq: 4, H: 2, D: 32 },
}
/** What a key loses per token: nothing that any tile could be left out for, and much. */
const decays = { kept: -1e-9, fading: -0.1 } as const
type Decay = keyof typeof decays
type Piece = 'plain forward' | `${Decay} ${'forward' | 'step' | 'capacity'}`

const goals = { stepPerPlainForward: 5, forwardShare: 0.5, capacityShare: 0.15 } as const
const capacityAttrs = { budget: 128, scope: 'head', form: 'code' } as const

/** Normal enough: sums of three uniform numbers, of variance 1. */
function randomTensor(device: Device, shape: readonly number[], seed: number): Tensor {
  let state = seed | 1
  const uniform = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state | 0) / 2 ** 31
  }
  const size = shape.reduce((a, b) => a * b, 1)
  const values = Float32Array.from({ length: size }, () => uniform() + uniform() + uniform())
  return device.tensor(values, { dtype: 'f32', shape })
}

interface Inputs {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
  readonly dout: Tensor
  readonly dLoss: Tensor
}

function makeInputs(device: Device, { B, T, Hq, H, D }: AttentionShape): Inputs {
  return {
    q: randomTensor(device, [B, T, Hq, D], 1),
    k: randomTensor(device, [B, T, H, D], 2),
    v: randomTensor(device, [B, T, H, D], 3),
    dout: randomTensor(device, [B, T, Hq, D], 4),
    dLoss: device.tensor([1], { dtype: 'f32', shape: [1] }),
  }
}

/** The capacity loss of one layer and its gradient. */
function capacityStep(ops: Ops<Tensor>, logBeta: Tensor, dLoss: Tensor): void {
  const occupancy = ops.occupancy({ logBeta })
  const { active } = ops.capacity({ occupancy }, capacityAttrs)
  const dy = ops.capacityGrad({ occupancy, active, dLoss }, capacityAttrs)
  ops.occupancyGrad({ logBeta, dy })
}

/** Recorded programs, so that no memory is asked for while the clock runs. */
function record(device: Device, shape: AttentionShape): Record<Piece, Program<void>> {
  const { dout, dLoss, ...qkv } = makeInputs(device, shape)
  const attrs = { scale: 1 / Math.sqrt(shape.D) }
  const program = (build: (ops: Ops<Tensor>) => void): Program<void> => device.record(build)
  const decaying = (decay: Decay) => {
    const sizes = [shape.B, shape.T, shape.H]
    const values = new Float32Array(sizes.reduce((a, b) => a * b)).fill(decays[decay])
    const inputs = { ...qkv, logBeta: device.tensor(values, { dtype: 'f32', shape: sizes }) }
    return {
      [`${decay} forward`]: program((ops) => void ops.gatedAttention(inputs, attrs)),
      [`${decay} step`]: program((ops) => {
        const outputs = ops.gatedAttention(inputs, attrs)
        ops.gatedAttentionGrad({ ...inputs, ...outputs, dout }, attrs)
      }),
      [`${decay} capacity`]: program((ops) => capacityStep(ops, inputs.logBeta, dLoss)),
    }
  }
  return {
    'plain forward': program((ops) => void ops.gatedAttention(qkv, attrs)),
    ...decaying('kept'),
    ...decaying('fading'),
  } as Record<Piece, Program<void>>
}

/** All pairs of the causal half: two products of depth D, in the forward. */
const forwardFlops = ({ B, T, Hq, D }: AttentionShape): number => 2 * B * Hq * T * (T + 1) * D

async function timeShape(shape: AttentionShape, rounds: number) {
  using device = createDevice()
  const programs = record(device, shape)
  const pieces = Object.fromEntries(
    Object.entries(programs).map(([name, program]) => [name, () => program.runSync()]),
  )
  const measured = await interleaved<Piece>(device, pieces as Record<Piece, () => void>, rounds)
  for (const program of Object.values(programs)) program[Symbol.dispose]()
  const { seconds, ceilings } = measured
  const ofDecay = (decay: Decay) => ({
    stepPerPlainForward: seconds[`${decay} step`] / seconds['plain forward'],
    capacityShare: seconds[`${decay} capacity`] / seconds[`${decay} step`],
  })
  return {
    isa: device.isa,
    threads: device.threads,
    shape,
    ...measured,
    forwardShare: {
      plain: forwardFlops(shape) / seconds['plain forward'] / ceilings.flops,
      kept: forwardFlops(shape) / seconds['kept forward'] / ceilings.flops,
    },
    kept: ofDecay('kept'),
    fading: ofDecay('fading'),
  }
}

function printTimes(
  {
    print,
    name,
    shape,
  }: Pick<SectionOptions, 'print'> & { readonly name: string; readonly shape: AttentionShape },
  { seconds, ceilings }: Measured<Piece>,
): void {
  const sizes = Object.entries(shape).map(([letter, size]) => `${letter} ${size}`)
  print(`Attention, ${name} (${sizes.join(', ')}), FMA peak ${gigaflops(ceilings.flops)}`)
  const plain = seconds['plain forward']
  const row = (title: string, time: number, flops: number): string[] => {
    const rate = flops > 0 ? [gigaflops(flops / time), percent(flops / time / ceilings.flops)] : ['', '']
    return [title, milliseconds(time), (time / plain).toFixed(2), ...rate]
  }
  const forward = forwardFlops(shape)
  printTable(print, [
    ['', 'time', '× plain forward', 'rate', 'of the peak'],
    row('plain forward', plain, forward),
    row('gated forward, nothing fades', seconds['kept forward'], forward),
    row('gated forward and backward, nothing fades', seconds['kept step'], 3.5 * forward),
    row(`gated forward, log β ${decays.fading}`, seconds['fading forward'], 0),
    row(`gated forward and backward, log β ${decays.fading}`, seconds['fading step'], 0),
    row('capacity loss, nothing fades', seconds['kept capacity'], 0),
    row(`capacity loss, log β ${decays.fading}`, seconds['fading capacity'], 0),
  ])
}

/** Gated attention and the capacity loss of one layer, next to attention without gates. */
export async function attentionBenchmark({
  rounds,
  print,
}: SectionOptions): Promise<Record<string, unknown>> {
  const results: Record<string, unknown> = {}
  for (const [name, shape] of Object.entries(shapes)) {
    const result = await timeShape(shape, rounds)
    results[name] = result
    printTimes({ print, name, shape }, result)
    const line = (title: string, values: readonly string[], aim: string): void =>
      print(`- ${title}: ${values.join(', ')} (goal ${aim})`)
    const { kept, fading, forwardShare } = result
    const times = [kept, fading].map(({ stepPerPlainForward }) => `${stepPerPlainForward.toFixed(2)} ×`)
    line('forward and backward per plain forward, kept and fading', times, `≤ ${goals.stepPerPlainForward} ×`)
    line('forward of the FMA peak', [percent(forwardShare.kept)], `≥ ${percent(goals.forwardShare)}`)
    const capacity = [kept, fading].map(({ capacityShare }) => percent(capacityShare))
    line('capacity loss per attention, kept and fading', capacity, `≤ ${percent(goals.capacityShare)}`)
    print('')
  }
  return { goals, ...results }
}
