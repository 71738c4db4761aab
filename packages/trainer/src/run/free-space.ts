import { statfs } from 'node:fs/promises'
import { fail } from '@trimkv/tensor'

/** Left free beside a checkpoint, for its header and the metrics until the next one. */
const spareBytes = 1024 * 1024

/**
 * Tells a full disk before a long write does.
 * @param bytes that are to be written beside what is there
 * @throws TrimError `TRIMKV_DISK`
 */
export async function checkFreeSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(folder)
  // Some network file systems do not count their blocks.
  if (blocks === 0) return
  const free = bavail * bsize
  const needed = bytes + spareBytes
  if (free >= needed) return
  fail('TRIMKV_DISK', `there is no room for a file of ${bytes} bytes in ${folder}`, {
    why: [`${needed} bytes are needed, with some to spare`, `${free} bytes are free`],
    hint: 'free some space; what was saved before is untouched',
    details: { folder, needed, free },
  })
}
