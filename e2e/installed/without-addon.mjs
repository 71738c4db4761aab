// Where the platform package is missing, the error says what to do, and TRIMKV_NATIVE_PATH still works:
//   without-addon.mjs ADDON TEXT [PLATFORM]
const [addon, text, platform] = process.argv.slice(2)
if (platform) Object.defineProperty(process, 'platform', { value: platform })
const { createDevice } = await import('@trimkv/tensor')

function failure() {
  try {
    createDevice()
  } catch (error) {
    return error
  }
  throw new Error('a device was made without the addon')
}

const { code, message } = failure()
if (code !== 'TRIMKV_NATIVE_MISSING' || !message.includes(text)) throw new Error(message)
process.env.TRIMKV_NATIVE_PATH = addon
createDevice({ threads: 1 })[Symbol.dispose]()
process.stdout.write(`${message}\n`)
