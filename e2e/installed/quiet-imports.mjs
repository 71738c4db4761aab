// Importing a package changes nothing: what is not used may be left out, as `sideEffects: false` says.
const names = process.argv.slice(2)
const state = () => ({
  globals: Object.getOwnPropertyNames(globalThis).join(),
  variables: JSON.stringify(process.env),
  listeners: process.eventNames().map(String).join(),
  folder: process.cwd(),
  timers: process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length,
})

process.dlopen = () => {
  throw new Error('an addon is loaded at import')
}
// What a dependency of others sets up is not ours.
await import('zod')
const before = state()
for (const name of names) await import(name)
const after = state()
for (const [what, value] of Object.entries(before)) {
  if (after[what] !== value) throw new Error(`${what} were ${value} and are ${after[what]} after imports`)
}
process.stdout.write(`${names.length} packages\n`)
