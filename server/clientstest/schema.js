// Holds what introspection tells against the served schema: node schema.js URL.
import assert from 'node:assert/strict'
import { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from 'graphql'

const [url] = process.argv.slice(2)
const sdl = await (await fetch(`${url}/schema.graphql`)).text()
const query = getIntrospectionQuery({
  directiveIsRepeatable: true, inputValueDeprecation: true, oneOf: true, schemaDescription: true, specifiedByUrl: true,
})
const answer = await fetch(`${url}/graphql`, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }),
})
const { data, errors } = await answer.json()
assert.equal(errors, undefined)
const printed = (schema) => printSchema(lexicographicSortSchema(schema))
const served = printed(buildSchema(sdl)), told = printed(buildClientSchema(data))
assert.equal(served, told)
for (const has of ['input FilterInput @oneOf {', 'scalar Time @specifiedBy(url: ']) assert.ok(served.includes(has), has)
// Introspection does not tell of the directives that every server has.
assert.ok(data.__schema.directives.every(({ name }) => name !== 'defer'))
assert.ok(!sdl.includes('@defer'))
