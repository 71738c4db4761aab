// @ts-check

/**
 * What V8 counts of one script: functions with nested ranges, the inner ones more exact.
 * @typedef {{ functions: readonly { ranges: readonly { startOffset: number, endOffset: number, count: number }[] }[] }} ScriptCoverage
 */

/**
 * Share of a source file that ran.
 * @typedef {object} FileCoverage
 * @property {string} file
 * @property {{ covered: number, total: number }} lines of code, without types, comments and blank lines
 * @property {{ covered: number, total: number }} branches blocks that V8 counts: arms of conditions, bodies of functions and loops
 * @property {number[]} missed numbers of the lines in the bundle that never ran
 */

/** Coverage of one bundle, added up over many processes. */
export class BundleCoverage {
  /** @param {string} text of the bundle */
  constructor(text) {
    this.text = text
    /** 1 for each character that ran in some process. */
    this.ran = new Uint8Array(text.length)
    /** @type {Set<number>} Where blocks begin. */
    this.blocks = new Set()
  }

  /** @param {ScriptCoverage} script */
  add({ functions }) {
    const ran = new Uint8Array(this.text.length)
    for (const { ranges } of functions) {
      // The outer range comes first, the ones inside it overwrite their part.
      for (const { startOffset, endOffset, count } of ranges) {
        ran.fill(count > 0 ? 1 : 0, startOffset, endOffset)
        this.blocks.add(startOffset)
      }
    }
    for (let i = 0; i < ran.length; i++) if (ran[i]) this.ran[i] = 1
  }

  /**
   * @param {readonly string[]} files relative to the root
   * @returns {FileCoverage[]}
   */
  of(files) {
    return files.map((file) => this.#ofFile(file))
  }

  /** @param {string} file @returns {FileCoverage} */
  #ofFile(file) {
    const sections = this.#sectionsOf(file)
    if (sections.length === 0) throw new Error(`${file} is not in the bundle`)
    const lines = { covered: 0, total: 0 }
    /** @type {number[]} */
    const missed = []
    for (const { start, end } of sections) {
      let at = start
      for (const line of this.text.slice(start, end).split('\n')) {
        if (/[\w$]/.test(line) && !/^\s*(?:\/\/|\/?\*|import )/.test(line)) {
          lines.total++
          if (this.ran.subarray(at, at + line.length).includes(1)) lines.covered++
          else missed.push(this.text.slice(0, at).split('\n').length)
        }
        at += line.length + 1
      }
    }
    const blocks = [...this.blocks].filter((at) => sections.some(({ start, end }) => at >= start && at < end))
    const branches = { covered: blocks.filter((offset) => this.ran[offset]).length, total: blocks.length }
    return { file, lines, branches, missed }
  }

  /** Where code of a file stands in the bundle: its imports come first, apart from the rest. @param {string} file */
  #sectionsOf(file) {
    const marks = [...this.text.matchAll(/^\/\/ (\S+\.[cm]?[jt]s)$/gm)]
    return marks.flatMap((mark, i) =>
      mark[1] === file ? [{ start: mark.index, end: marks[i + 1]?.index ?? this.text.length }] : [],
    )
  }
}
