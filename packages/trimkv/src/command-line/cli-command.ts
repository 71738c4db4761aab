import type { Command } from 'commander'
import type { Terminal } from '../terminal/terminal.ts'
import type { LayeredSetting } from './setting-layers.ts'
import type { SettingName } from './settings.ts'

/** What a command gets when it runs. */
export interface CommandContext {
  readonly terminal: Terminal
  /** Aborted by the first Ctrl-C, and when nothing more can be written to stdout. */
  readonly signal: AbortSignal
  /** Positional arguments. */
  readonly args: readonly string[]
  /** What flags, environment and configuration give, as a flag would; check it with `checkedSettings`. */
  readonly raw: Readonly<Record<string, unknown>>
  /**
   * What environment and configuration alone give to each command, by its name.
   * @throws TRIMKV_OPTION for a variable
   */
  readonly layers: () => Readonly<Record<string, ReadonlyMap<string, LayeredSetting>>>
}

/** One command of the command line: its flags and what it does. */
export interface CliCommand {
  /** The first word of a command of two. */
  readonly group?: 'train' | 'cache'
  readonly command: Command
  /** Settings that it reads, where it has `--dry-run`. */
  readonly names?: readonly SettingName[]
  /**
   * Whether there is work beside the output that is not done when the reader of the output goes away.
   * @param raw as in {@link CommandContext}
   */
  readonly keeps?: (raw: CommandContext['raw']) => boolean
  /** @returns the exit code; 0 when nothing is returned */
  readonly run: (context: CommandContext) => Promise<number | undefined>
}
