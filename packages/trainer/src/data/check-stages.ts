import { tasks } from '@trimkv/tasks'
import { fail } from '@trimkv/tensor'
import { checkCount } from './check-count.ts'
import { type CopyEntry, smallest, type TaskEntry, type TaskStage } from './task-stage.ts'

/** @throws TrimError `TRIMKV_OPTION` naming the field that cannot be */
export function checkStages(stages: readonly TaskStage[]): void {
  if (stages.length === 0) fail('TRIMKV_OPTION', 'stages must hold at least one stage')
  stages.forEach((stage, i) => {
    const name = `stages[${i}]`
    checkCount(`${name}.rows`, stage.rows, 1)
    checkCount(`${name}.length`, stage.length, 2)
    if (i < stages.length - 1 || stage.batches !== undefined) {
      checkCount(`${name}.batches`, stage.batches ?? Number.NaN, 1)
    }
    for (const weight of ['answerWeight', 'otherWeight'] as const) {
      const value = stage[weight] ?? 1
      if (!(value >= 0 && Number.isFinite(value)))
        fail('TRIMKV_OPTION', `${name}.${weight} must be ≥ 0; got ${value}`)
    }
    if (stage.mixture.length === 0) fail('TRIMKV_OPTION', `${name}.mixture must hold at least one task`)
    stage.mixture.forEach((entry, j) => {
      checkEntry(`${name}.mixture[${j}]`, entry)
    })
  })
}

function checkEntry(name: string, entry: TaskEntry | CopyEntry): void {
  if (entry.task !== 'copy' && !Object.hasOwn(tasks, entry.task)) {
    fail('TRIMKV_OPTION', `${name}.task must be copy or a task; got ${JSON.stringify(entry.task)}`, {
      hint: `tasks are ${Object.keys(tasks).join(', ')}`,
    })
  }
  if (!(entry.share > 0 && Number.isFinite(entry.share))) {
    fail('TRIMKV_OPTION', `${name}.share must be over 0; got ${entry.share}`)
  }
  if (entry.task !== 'copy') checkNames(`${name}.options`, entry)
  const rules: Readonly<Record<string, unknown>> =
    entry.task === 'copy'
      ? { repeats: entry.repeats, tokens: entry.tokens }
      : { ...entry.options, words: entry.words }
  for (const [option, rule] of Object.entries(rules)) checkRule(`${name}.${option}`, rule)
  if (entry.task === 'copy') {
    checkCount(`${name}.repeats`, smallest(entry.repeats ?? 2), 2)
    checkCount(`${name}.tokens`, smallest(entry.tokens ?? 1), 1)
  }
}

/** A misspelt option would leave the default in force. */
function checkNames(name: string, { task, options = {} }: TaskEntry): void {
  const known = Object.keys(tasks[task]().options).filter((option) => option !== 'length')
  const unknown = Object.keys(options).find((option) => !known.includes(option))
  if (unknown === undefined) return
  fail('TRIMKV_OPTION', `${name}.${unknown} is no option of ${task}`, {
    hint: `it has ${known.join(', ')}; words says how long a text is`,
  })
}

function checkRule(name: string, rule: unknown): void {
  if (typeof rule !== 'object' || rule === null) return
  const { oneOf, from, to } = rule as { oneOf?: unknown; from?: number; to?: number }
  if ('oneOf' in rule) {
    if (Array.isArray(oneOf) && oneOf.length > 0) return
    fail('TRIMKV_OPTION', `${name}.oneOf must be a list of at least one value`)
  }
  if (!('from' in rule)) return
  checkCount(`${name}.from`, from!, 0)
  checkCount(`${name}.to`, to ?? Number.NaN, from!)
}
