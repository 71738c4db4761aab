import { crc32 } from 'node:zlib'
import { type FileReader, openFileReader } from './file-reader.ts'
import { malformed } from './malformed.ts'
import { unpickle } from './pickle.ts'
import {
  dtypeOf,
  fileDtypes,
  safeElementCount,
  type TensorEntry,
  type TensorListing,
} from './tensor-listing.ts'
import { type TorchValue, type TorchView, torchHost } from './torch-pickle.ts'
import { openZipArchive, type ZipArchive, type ZipEntry } from './zip-archive.ts'

/** The pickle of a few thousand tensors is a few hundred KiB. */
const largestPickle = 16 * 1024 * 1024

/**
 * Lists the tensors of a file that `torch.save` wrote: a dictionary from names to tensors, as a state dict is. Reads the
 * archive's directory and the pickle, never the tensors, and runs no code of the file: the pickle may name
 * `collections.OrderedDict`, `torch._utils._rebuild_tensor_v2` and the storage types, nothing else.
 * Names that share a storage get the same `byteOffset`.
 * @throws TrimError `TRIMKV_PICKLE_GLOBAL` for any other global; `TRIMKV_FORMAT` for a malformed file, a dictionary of other
 *   things, or a tensor that is not contiguous; `TRIMKV_NOT_FOUND`
 * @see torch/serialization.py, `_save` and `_load`
 */
export async function openTorchFile(path: string): Promise<TensorListing> {
  await using reader = await openFileReader(path)
  const archive = await openZipArchive(reader)
  const { entry: pickleEntry, folder } = findPickle(archive, path)
  await checkByteOrder(reader, archive, folder)
  const root = unpickle(await readPickle(reader, archive, pickleEntry), torchHost(path))
  const tensors = new Map<string, TensorEntry>()
  for (const [name, view] of namedViews(root, path)) {
    tensors.set(name, await locateView(archive, { file: path, folder, name, view }))
  }
  return { tensors, metadata: {}, files: [{ path, size: reader.size }] }
}

function findPickle(archive: ZipArchive, file: string): { entry: ZipEntry; folder: string } {
  const found = [...archive.entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name))
  const [entry] = found
  if (entry && found.length === 1) return { entry, folder: entry.name.slice(0, -'data.pkl'.length) }
  return malformed({ file, field: 'zip archive', expected: 'one entry <name>/data.pkl', got: found.length })
}

async function checkByteOrder(reader: FileReader, archive: ZipArchive, folder: string): Promise<void> {
  const entry = archive.entries.get(`${folder}byteorder`)
  if (!entry) return
  const order = (await reader.read(await archive.locate(entry), Math.min(entry.size, 16))).toString()
  if (order !== 'little') malformed({ file: reader.path, field: 'byteorder', expected: 'little', got: order })
}

async function readPickle(reader: FileReader, archive: ZipArchive, entry: ZipEntry): Promise<Buffer> {
  const file = reader.path
  if (entry.size > largestPickle) {
    malformed({ file, field: entry.name, expected: `at most ${largestPickle} bytes`, got: entry.size })
  }
  const bytes = await reader.read(await archive.locate(entry), entry.size)
  const checksum = crc32(bytes)
  if (checksum !== entry.crc32) {
    malformed({
      file,
      field: `${entry.name}, CRC-32`,
      expected: String(entry.crc32),
      got: checksum,
      hint: 'the file is damaged; fetch it again',
    })
  }
  return bytes
}

function* namedViews(root: TorchValue, file: string): Generator<readonly [name: string, view: TorchView]> {
  if (typeof root !== 'object' || root?.kind !== 'dict') {
    malformed({ file, field: 'data.pkl', expected: 'a dictionary of tensors', got: 'another value' })
  }
  for (const [name, entry] of root.entries) {
    const made = typeof entry === 'object' && entry?.kind === 'made' ? entry.value : undefined
    if (typeof name !== 'string' || made?.kind !== 'view') {
      malformed({
        file,
        field: `data.pkl, entry ${JSON.stringify(name)}`,
        expected: 'a name and a tensor',
        got: 'another value',
        hint: 'save the state dict itself, not a dictionary around it',
      })
    }
    yield [name, made]
  }
}

async function locateView(
  archive: ZipArchive,
  { file, folder, name, view }: { file: string; folder: string; name: string; view: TorchView },
): Promise<TensorEntry> {
  const { key, fileDtype, elementCount } = view.storage
  const elementBytes = fileDtypes[fileDtype].bits / 8
  const record = archive.entries.get(`${folder}data/${key}`)
  if (record?.size !== elementCount * elementBytes) {
    const expected = `a record data/${key} of ${elementCount * elementBytes} bytes`
    return malformed({ file, field: `tensor ${JSON.stringify(name)}`, expected, got: record?.size ?? 'none' })
  }
  return {
    name,
    dtype: dtypeOf(fileDtype),
    fileDtype,
    shape: view.shape,
    file,
    byteOffset: (await archive.locate(record)) + view.firstElement * elementBytes,
    byteLength: (safeElementCount(view.shape) ?? 0) * elementBytes,
  }
}
