import { readPolicy, splitPolicies } from '../policy-file.ts'
import { cacheSettingNames } from './cache-settings.ts'
import type { CommandContext } from './cli-command.ts'
import { factsText } from './facts-text.ts'
import { modelFolder } from './hub-cache.ts'
import { modelFacts } from './inspect-facts.ts'
import { oneSource } from './prompt-input.ts'
import { checkedSettings, type SettingName, type Settings } from './settings.ts'

/** What was written in `--policy` or `--policies`; nothing when it is left to the model. */
const writtenPolicies = ({ policy, policies }: Partial<Settings>): readonly string[] => {
  if (policies !== undefined) return splitPolicies(policies)
  return policy === undefined ? [] : [policy]
}

/**
 * `--dry-run`: the settings of a command and the bytes it would take; nothing is loaded.
 * @param names settings that the command reads
 * @throws TRIMKV_OPTION, TRIMKV_BUDGET_TOO_SMALL as the command would
 */
export async function dryRun(
  { args, raw, terminal }: CommandContext,
  names: readonly SettingName[],
): Promise<void> {
  const checked: Partial<Settings> = await checkedSettings(raw, names)
  oneSource(checked)
  const policies = await Promise.all(writtenPolicies(checked).map(readPolicy))
  const settings = await checkedSettings(raw, ['gates', 'context', ...cacheSettingNames])
  const facts = await modelFacts(await modelFolder(args[0]!, process.env), { ...settings, policies })
  const { dryRun: _, json, ...plan } = raw
  if (json) {
    terminal.data(`${JSON.stringify({ settings: plan, facts })}\n`)
    return
  }
  for (const [name, value] of Object.entries(plan)) terminal.data(`${name.padEnd(14)} ${String(value)}\n`)
  terminal.data(`${factsText(facts)}\n`)
}
