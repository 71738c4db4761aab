import { describe, expect, it } from 'vitest'
import { definePolicy, type Policy, type PolicyParts } from '../policy.ts'
import { hostScore, opsScore, recency } from '../score.ts'
import { policyConformance } from './policy-conformance.ts'

const withParts = (parts: PolicyParts): Policy =>
  definePolicy({ name: 'broken', source: 'test', phases: ['decode'], options: {}, parts: () => parts })

const checksFailing = (policy: Policy): Set<string> =>
  new Set(policyConformance(policy).map(({ check }) => check))

describe('policyConformance', () => {
  it('finds nothing wrong with a sound policy', () => {
    expect(policyConformance(withParts({ score: recency() }))).toEqual([])
  })

  it('finds state kept between sequences', () => {
    let calls = 0
    const score = hostScore({
      score: (view, head) => view.positions(head).map((p) => (p * 7919 + calls++) % 101),
    })
    expect(checksFailing(withParts({ score }))).toContain('keeps no state outside the cache')
  })

  it('finds a hidden dependence on the order of slots', () => {
    const score = hostScore({
      orderedSlots: false,
      score: (view, head) => view.positions(head).map((_, slot) => (slot * 5) % 7),
    })
    expect(checksFailing(withParts({ score }))).toContain(
      'does not depend on the order of slots unless it says so',
    )
  })

  it('finds a batch whose sequences influence each other', () => {
    const last = new Map<string, number>()
    const score = hostScore({
      score(view, head) {
        const key = `${view.layer}/${head}`
        const before = last.get(key) ?? 0
        last.set(key, view.keys(head)[0]!)
        return view.positions(head).map((p) => (before > 0 ? p : -p))
      },
    })
    expect(checksFailing(withParts({ score }))).toContain('treats sequences of a batch as if alone')
  })

  it('reports a broken contract as a finding', () => {
    const findings = policyConformance(withParts({ score: hostScore({ score: () => [1] }) }))
    expect(findings[0]?.problem).toMatch(/exact, 2\/2 heads: \[broken\] returned 1 scores for/)
  })

  it('finds a score that tampers with what the cache stores', () => {
    const score = opsScore({
      score(ops, { slotIndex, seen, count }) {
        ops.setCount({ count: seen }, { value: 3 })
        return ops.slotScores({ slotIndex, seen, count }, { score: { kind: 'recency' } })
      },
    })
    const failing = checksFailing(withParts({ score, protect: { last: 2 } }))
    expect(failing).toContain('never drops a protected token')
  })

  it('hands out copies: scribbling on them changes nothing', () => {
    const score = hostScore({
      score(view, head) {
        view.values(head).fill(0)
        return view.positions(head)
      },
    })
    expect(policyConformance(withParts({ score }))).toEqual([])
  })
})
