const escaped = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')

/** Tenths of a pixel are enough, and keep files the same on every machine. */
const shortNumber = (value: number): string => String(Math.round(value * 10) / 10)

type Attributes = Readonly<Record<string, string | number>>

const attributesText = (attributes: Attributes): string =>
  Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${typeof value === 'number' ? shortNumber(value) : escaped(value)}"`)
    .join('')

/** An element; children are markup. */
export const element = (name: string, attributes: Attributes, children = ''): string =>
  children === ''
    ? `<${name}${attributesText(attributes)}/>`
    : `<${name}${attributesText(attributes)}>${children}</${name}>`

/** Text in one of the classes of {@link picture}, `label` unless given. */
export const label = (text: string, attributes: Attributes): string =>
  element('text', { class: 'label', ...attributes }, escaped(text))

const style = `text{font-family:system-ui,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif;font-size:13px;fill:#374151}
.title{font-size:15px;font-weight:700;fill:#14181d}.strong{font-weight:700;fill:#14181d}.small{font-size:12px;fill:#4b5563}`

/** A whole picture on white, which says what it shows to those who do not see it. */
export const picture = (
  size: { readonly width: number; readonly height: number },
  title: string,
  parts: readonly string[],
): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escaped(title)}">
<title>${escaped(title)}</title>
<style>${style}</style>
${element('rect', { width: size.width, height: size.height, fill: '#fff' })}
${parts.join('\n')}
</svg>
`
