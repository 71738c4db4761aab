import { fail } from '@trimkv/tensor'

/** Letters and marks that no path of any system gives a meaning, in segments that are neither `.` nor `..`. */
const segment = String.raw`(?!\.{1,2}(?:/|$))[\w.+=@ -]*[\w.+=@-]`

const repoName = /^[\w-][\w.-]*\/[\w-][\w.-]*$/
const revisionName = new RegExp(`^${segment}(?:/${segment})*$`)
const commitName = /^[0-9a-f]{40}$/

export const isCommit = (revision: string): boolean => commitName.test(revision)

/** @throws TrimError `TRIMKV_OPTION` when `repo` cannot be the name of a repository */
export function checkRepo(repo: string): void {
  if (repoName.test(repo) && !/--|\.\./.test(repo)) return
  fail('TRIMKV_OPTION', `${JSON.stringify(repo)} is not the name of a model`, {
    why: ['expected org/name, of letters, digits, -, _ and .'],
    details: { repo },
  })
}

/** @throws TrimError `TRIMKV_OPTION` when `revision` cannot be a branch, tag or commit */
export function checkRevision(revision: string): void {
  if (revisionName.test(revision)) return
  fail('TRIMKV_OPTION', `${JSON.stringify(revision)} is not a revision`, {
    why: ['expected a branch, tag or full commit, such as main'],
    details: { revision },
  })
}

function reasonToRefuse(name: string): string | undefined {
  if (name === '') return 'it is empty'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'it holds a control character'
  if (name.includes('\\')) return 'it holds a backslash'
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) return 'it is absolute'
  const hasOddSegment = name.split('/').some((part) => part === '' || part === '.' || part === '..')
  return hasOddSegment ? 'it leaves its folder or has an empty part' : undefined
}

/**
 * Refuses names that would be written anywhere but inside the folder of a snapshot, on any system.
 * @throws TrimError `TRIMKV_FORMAT`
 */
export function checkFileName(name: string, origin: string): void {
  const reason = reasonToRefuse(name)
  if (reason === undefined) return
  fail('TRIMKV_FORMAT', `${origin} lists a file with an unsafe name`, {
    why: [`${JSON.stringify(name)}: ${reason}`, 'nothing was downloaded'],
    hint: 'do not trust this server',
    details: { name },
  })
}
