import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { fail, type TrimError } from './errors.ts'

/** Functions of the addon (native/binding). Handles and ids are plain numbers; sizes travel in float64 arrays. */
export interface NativeAddon {
  readonly interfaceVersion: number
  /** Names of the compiled ops; the index is the opcode. */
  readonly opNames: readonly string[]
  /** Numbers of the instruction sets this machine can run. */
  readonly isas: readonly number[]
  /** Smallest amount of memory that the system takes and gives back. */
  readonly pageBytes: number
  setup(makeError: (code: number, text: string) => TrimError, uses: Int32Array): void
  deviceCreate(isa: number, threads: number): number
  deviceDispose(device: number): void
  tensorCreate(device: number, source: number, dtype: number, rank: number, layout: Float64Array): number
  tensorView(device: number, base: number, offset: number, rank: number, layout: Float64Array): number
  tensorPlace(
    device: number,
    storage: number,
    dtype: number,
    offset: number,
    rank: number,
    layout: Float64Array,
  ): number
  tensorRead(device: number, handle: number, into: Float32Array | Int32Array): void
  tensorWrite(device: number, handle: number, values: Float32Array | Int32Array): void
  handleFree(device: number, handle: number): boolean
  mapFile(device: number, path: string, expectedBytes: number): number
  submit(device: number, words: Int32Array, scalars: Float64Array): void
  liveTensors(device: number): number
  usedBytes(device: number): number
  programCreate(device: number, words: Int32Array, scalars: Float64Array): number
  programDispose(device: number, program: number): void
  programRunSync(device: number, program: number, onCall: (index: number) => boolean): void
  programRun(
    device: number,
    program: number,
    onCall: (index: number) => boolean,
    onDone: (failure: unknown) => void,
  ): number
  programAbort(device: number, run: number): void
}

/** The interface above; native/binding/addon.cc has the same number. */
const interfaceVersion = 2

const system = `${process.platform}-${process.arch}`

/** The platform package, by literal name so that bundlers see it; tooling/pack/targets.json has the same list. */
function loadPlatformPackage(require: NodeJS.Require): unknown {
  switch (system) {
    case 'linux-x64':
      return require('@trimkv/tensor-linux-x64-gnu')
    default:
      throw new Error('none is published for this system')
  }
}

/** Where the addon may be, in this order. A path given by the user is the only candidate: no silent fallback. */
function candidates(
  path: string | undefined,
): readonly { readonly name: string; readonly load: () => unknown }[] {
  // Nothing of this runs at import: a program for the browser may bundle what needs no addon.
  const require = createRequire(import.meta.url)
  if (path) return [{ name: `TRIMKV_NATIVE_PATH=${path}`, load: () => require(path) }]
  // From src/ and from dist/ alike.
  const localBuild = fileURLToPath(new URL('../build/trimkv.node', import.meta.url))
  return [
    { name: localBuild, load: () => require(localBuild) },
    { name: 'the platform package', load: () => loadPlatformPackage(require) },
  ]
}

function checked(addon: NativeAddon): NativeAddon {
  if (addon.interfaceVersion === interfaceVersion) return addon
  throw new Error(`built from other sources: interface ${addon.interfaceVersion}, wanted ${interfaceVersion}`)
}

/** The C library of a Linux system; Node knows no name of another than glibc. */
function libc(): { readonly name: 'gnu' | 'musl'; readonly text: string } | undefined {
  if (process.platform !== 'linux') return undefined
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  const version = report.header?.glibcVersionRuntime
  return version === undefined
    ? { name: 'musl', text: 'a libc that is not glibc' }
    : { name: 'gnu', text: `glibc ${version}` }
}

const build = 'in a clone of the repository run `node tooling/native/build.mjs`'

/** What helps where the addon is missing: another path, a platform package, or a build. */
function hintFor(path: string | undefined, libcName: string | undefined): string {
  if (path) return `${build}, or unset TRIMKV_NATIVE_PATH`
  if (system !== 'linux-x64' || libcName !== 'gnu') {
    return `addons are published for linux-x64 with glibc alone; ${build} on this system, and name its result in TRIMKV_NATIVE_PATH`
  }
  return [
    'run `npm install @trimkv/tensor-linux-x64-gnu` in the version of @trimkv/tensor:',
    'it is missing after --omit=optional, and where node_modules came from another system;',
    build,
  ].join(' ')
}

/**
 * Loads the compiled core.
 * @throws TRIMKV_NATIVE_MISSING with everything that was tried
 */
export function loadNative(path: string | undefined = process.env.TRIMKV_NATIVE_PATH): NativeAddon {
  const failures: { name: string; cause: unknown }[] = []
  for (const { name, load } of candidates(path)) {
    try {
      return checked(load() as NativeAddon)
    } catch (cause) {
      failures.push({ name, cause })
    }
  }
  const found = libc()
  return fail('TRIMKV_NATIVE_MISSING', 'the native core of @trimkv/tensor could not be loaded', {
    why: [
      `this is ${found ? `${system} with ${found.text}` : system}, Node ${process.versions.node}`,
      ...failures.map(({ name, cause }) => `${name}: ${firstLine(cause)}`),
    ],
    hint: hintFor(path, found?.name),
    details: {
      platform: found ? `${system}-${found.name}` : system,
      node: process.versions.node,
      tried: failures.map(({ name }) => name),
    },
    cause: failures[0]?.cause,
  })
}

const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0] ?? ''
