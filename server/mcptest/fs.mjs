// The conformance tests import globSync of Node.js 22, for what they do not do here: Node.js 20 gets one that fails.
import { register } from 'node:module'

const fs = `
export * from 'node:fs'
export { default } from 'node:fs'
export function globSync() { throw new Error('globSync needs Node.js 22') }`

register('data:text/javascript,' + encodeURIComponent(`
const fs = ${JSON.stringify('data:text/javascript,' + encodeURIComponent(fs))}
export function resolve(specifier, context, next) {
  return specifier === 'fs' && context.parentURL?.includes('/conformance/') ? { url: fs, shortCircuit: true } : next(specifier, context)
}`))
