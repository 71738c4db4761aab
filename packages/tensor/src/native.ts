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

const require = createRequire(import.meta.url)

/** The platform package, by literal name so that bundlers see it. */
function loadPlatformPackage(platform: string): unknown {
  switch (platform) {
    case 'linux-x64':
      return require('@trimkv/tensor-linux-x64-gnu')
    default:
      throw new Error(`there is no prebuilt addon for ${platform}`)
  }
}

const platform = `${process.platform}-${process.arch}`
/** From src/ and from dist/ alike. */
const localBuild = fileURLToPath(new URL('../build/trimkv.node', import.meta.url))

/** Where the addon may be, in this order. A path given by the user is the only candidate: no silent fallback. */
function candidates(
  path: string | undefined,
): readonly { readonly name: string; readonly load: () => unknown }[] {
  if (path) return [{ name: `TRIMKV_NATIVE_PATH=${path}`, load: () => require(path) }]
  return [
    { name: localBuild, load: () => require(localBuild) },
    { name: `the platform package for ${platform}`, load: () => loadPlatformPackage(platform) },
  ]
}

function checked(addon: NativeAddon): NativeAddon {
  if (addon.interfaceVersion === interfaceVersion) return addon
  throw new Error(`built from other sources: interface ${addon.interfaceVersion}, wanted ${interfaceVersion}`)
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
  return fail('TRIMKV_NATIVE_MISSING', 'the native core of @trimkv/tensor could not be loaded', {
    why: [
      `this is ${platform}, Node ${process.versions.node}`,
      ...failures.map(({ name, cause }) => `${name}: ${firstLine(cause)}`),
    ],
    hint: 'in a clone of the repository run `node tooling/native/build.mjs`; otherwise reinstall without --omit=optional',
    details: { platform, node: process.versions.node, tried: failures.map(({ name }) => name) },
    cause: failures[0]?.cause,
  })
}

const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0] ?? ''
