import type { Reading } from './read-text.ts'
import type { RecallText } from './recall-text.ts'

const width = 860
const lineHeight = 22
const glyph = 8.4 // of a 14 px monospaced face
const margin = 20
const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')

/** Words broken into lines that fit the picture. */
function lines(words: readonly string[]): number[][] {
  const room = Math.floor((width - 2 * margin) / glyph)
  const out: number[][] = [[]]
  let used = 0
  for (const [word, text] of words.entries()) {
    if (used + text.length + 1 > room) {
      out.push([])
      used = 0
    }
    out.at(-1)!.push(word)
    used += text.length + 1
  }
  return out
}

function block(
  reading: Reading,
  text: RecallText,
  top: number,
): { readonly svg: string; readonly bottom: number } {
  const right = reading.answers.filter(({ said, right }) => said === right).length
  const title = `${reading.policy}: ${right} of ${reading.answers.length} answers right`
  const where = `layer ${reading.head.layer}, head ${reading.head.head}`
  let y = top + lineHeight
  const parts = [
    `<text x="${margin}" y="${y}" class="t">${escaped(title)} <tspan class="w">(${where})</tspan></text>`,
  ]
  for (const line of lines(text.words.slice(0, reading.kept.length))) {
    y += lineHeight
    const spans = line.map((word) => {
      const shown = escaped(text.words[word]!)
      return reading.kept[word] ? `<tspan class="k">${shown}</tspan>` : shown
    })
    parts.push(`<text x="${margin}" y="${y}" class="e">${spans.join(' ')}</text>`)
  }
  return { svg: parts.join('\n'), bottom: y + lineHeight }
}

const style = `text{font:14px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.t{font-weight:700;fill:#14181d}.w{font-weight:400;fill:#6b7280}.e{fill:#6b7280}
.k{font-weight:700;fill:#1d3fbb;text-decoration:underline}`

/** The readings as one SVG: words still in the cache bold and underlined, evicted ones grey. */
export function readingPicture(readings: readonly Reading[], text: RecallText): string {
  let bottom = 0
  const blocks = readings.map((reading) => {
    const made = block(reading, text, bottom)
    bottom = made.bottom
    return made.svg
  })
  const label = 'Words each policy still holds when the questions begin'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom}" role="img" aria-label="${label}">
<title>${label}</title>
<style>${style}</style>
<rect width="${width}" height="${bottom}" fill="#fff"/>
${blocks.join('\n')}
</svg>
`
}
