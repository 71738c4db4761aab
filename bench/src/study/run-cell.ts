import type { Model } from '@trimkv/engine'
import { tasks } from '@trimkv/tasks'
import { TrimError } from '@trimkv/tensor'
import { type Cell, cellBudget, policyText } from './cells.ts'
import { readAnswers } from './read-answers.ts'
import type { CellResult } from './results.ts'
import { type StudyText, studyTexts } from './study-texts.ts'

const fourDigits = (share: number): number => Math.round(share * 1e4) / 1e4

/** Texts of the cells measured so far: policies share them. */
export type TextCache = Map<string, readonly StudyText[]>

async function cellTexts(model: Model, cell: Cell, cache: TextCache): Promise<readonly StudyText[]> {
  const key = `${cell.task} ${cell.setting} ${cell.length} ${cell.questions}`
  const texts = cache.get(key) ?? studyTexts(cell, await model.tokenizer())
  cache.set(key, texts)
  return texts
}

/** Codes with which a policy says that it cannot work in a setting. */
const refusals: readonly string[] = ['TRIMKV_BUDGET_TOO_SMALL', 'TRIMKV_UNSUPPORTED']

/** What a cell gives: shares, or nothing but why the policy refuses the setting. */
async function sharesOf(
  model: Model,
  cell: Cell,
  { texts, signal }: { texts: readonly StudyText[]; signal: AbortSignal },
): Promise<Pick<CellResult, 'shares' | 'refused'>> {
  const { budget, buffer } = cellBudget(cell)
  const { setting, kvDtype } = cell
  const run = { policy: policyText(cell, budget), budget, setting, signal, ...(kvDtype && { kvDtype }) }
  try {
    return { shares: await readAnswers(model, texts, { ...run, ...(buffer !== undefined && { buffer }) }) }
  } catch (error) {
    if (!(error instanceof TrimError) || !refusals.includes(error.code)) throw error
    return { shares: [], refused: error.message }
  }
}

/** Measures one cell. */
export async function runCell(
  model: Model,
  cell: Cell,
  { cache, signal }: { cache: TextCache; signal: AbortSignal },
): Promise<Omit<CellResult, 'model' | 'run'>> {
  const texts = await cellTexts(model, cell, cache)
  const start = performance.now()
  const { shares, ...refusal } = await sharesOf(model, cell, { texts, signal })
  const seconds = (performance.now() - start) / 1000
  const tokens = texts.reduce((sum, { ids }) => sum + ids.length, 0)
  return {
    cell,
    taskVersion: tasks[cell.task]().version,
    shares: shares.map((questions) => questions.map(fourDigits)),
    distances: texts.map(({ distances }) => distances),
    tokensPerSecond: Math.round(tokens / seconds),
    ...refusal,
  }
}
