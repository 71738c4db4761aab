import { expect, it } from 'vitest'
import { policies } from '../src/policies/index.ts'
import { policyPage } from './policy-page.ts'

it('docs/policies.md is what the definitions say', async () => {
  await expect(policyPage()).toMatchFileSnapshot('../../../docs/policies.md')
})

it('has a section for every policy and a row for every option', () => {
  const page = policyPage()
  for (const [name, { options }] of Object.entries(policies)) {
    const section = page.split(`\n## ${name}\n`)[1]?.split('\n## ')[0] ?? ''
    const own = Object.keys(options).filter((option) => !['when', 'positions'].includes(option))
    for (const option of own) expect(section).toContain(`| \`${option}\` |`)
  }
})
