// CommonJS programs get the same packages: no module of ours waits at its top level.
const { load } = require('trimkv')
const { policies } = require('@trimkv/cache')
if (typeof load !== 'function' || !policies.trimkv) throw new Error('exports are missing')
process.stdout.write('required\n')
