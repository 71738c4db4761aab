import { markdownTable, percent } from './markdown-table.ts'
import { kindRule, type RetentionSummary } from './retention-stats.ts'
import { wordClasses } from './word-classes.ts'

/** What the gates keep, in words, tables and pictures. */
export function retentionSection({ budget, texts, heads, kept, read }: RetentionSummary): string {
  const headLines = heads.map(({ layer, head, kind, meanBeta, newest, facts, first }) => [
    String(layer),
    String(head),
    kind,
    meanBeta.toFixed(4),
    percent(newest),
    percent(facts),
    percent(first),
  ])
  const classLines = wordClasses.map((name) => [name, percent(read[name]), percent(kept[name])])
  return `## What is kept

What the bundled gates make each head hold at a budget of M = ${budget}, after every token of ${texts} stream texts once ${2 * budget}
tokens were read. Written by \`pnpm --filter @trimkv/bench retention\`.

${kindRule}

${markdownTable(['layer', 'head', 'kind', 'mean β', 'newest M, %', 'facts among older, %', 'first 4 held, %'], headLines, 3)}

![Mean β per layer and head](pictures/mean-beta.svg)

What the slots of all heads hold, in percent, beside what was read:

${markdownTable(['words', 'of the text', 'of the slots'], classLines, 1)}

![Share of slots per class of word](pictures/kept-classes.svg)`
}
