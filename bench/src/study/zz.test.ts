import { it } from 'vitest'
it('ablates', async () => {
  process.argv = ['node', 'x', '--folder', '/tmp/st/out', '--questions', '24', ...(process.env.AB ?? '').split(' ')]
  const t = setTimeout(() => process.emit('SIGINT'), Number(process.env.STOP ?? 60) * 1000)
  await import('./ablations.ts')
  clearTimeout(t)
}, 600000)
