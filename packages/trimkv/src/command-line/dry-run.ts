import { cacheSettingNames } from './cache-settings.ts'
import type { CommandContext } from './cli-command.ts'
import { factsText } from './facts-text.ts'
import { modelFolder } from './hub-cache.ts'
import { modelFacts } from './inspect-facts.ts'
import { checkedSettings } from './settings.ts'

/** `--dry-run`: the settings of a command and the bytes it would take; nothing is loaded. */
export async function dryRun({ args, raw, terminal }: CommandContext): Promise<void> {
  const settings = await checkedSettings(raw, ['gates', 'context', ...cacheSettingNames])
  const facts = await modelFacts(await modelFolder(args[0]!, process.env), settings)
  const { dryRun: _, json, ...plan } = raw
  if (json) {
    terminal.data(`${JSON.stringify({ settings: plan, facts })}\n`)
    return
  }
  for (const [name, value] of Object.entries(plan)) terminal.data(`${name.padEnd(14)} ${String(value)}\n`)
  terminal.data(`${factsText(facts)}\n`)
}
