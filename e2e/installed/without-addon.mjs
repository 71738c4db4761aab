// Where the platform package is missing, the error says what to install, and TRIMKV_NATIVE_PATH still works.
import { createDevice } from '@trimkv/tensor'

const [addon] = process.argv.slice(2)
try {
  createDevice()
  throw new Error('a device was made without the addon')
} catch (error) {
  const { code, message } = error
  if (code !== 'TRIMKV_NATIVE_MISSING' || !message.includes('npm install @trimkv/tensor-')) throw error
}
process.env.TRIMKV_NATIVE_PATH = addon
createDevice({ threads: 1 })[Symbol.dispose]()
process.stdout.write('told what to install\n')
