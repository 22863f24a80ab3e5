import { buildSchema, type FragmentDefinitionNode, Kind, parse, validate, visit } from 'graphql'
import { expect, test } from 'vitest'
import served from './generated/schema.graphql?raw'

const sources: Record<string, string> = import.meta.glob(['../**/*.{ts,tsx}', '!../**/*.test.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
})

/** The documents in the source. */
const documents = Object.values(sources)
  .flatMap((source) => [...source.matchAll(/\bgraphql\(\s*`([^`]*)`/g)])
  .map(([, text]) => parse(String(text)))

test('every document is valid, and the names of operations and fragments are unique', () => {
  const schema = buildSchema(served)
  const fragments = new Map<string, FragmentDefinitionNode>()
  const names: string[] = []
  const operations = documents.flatMap(({ definitions }) =>
    definitions.filter((definition) => {
      if ('name' in definition && definition.name) names.push(definition.name.value)
      if (definition.kind !== Kind.FRAGMENT_DEFINITION) return true
      fragments.set(definition.name.value, definition)
      return false
    }),
  )
  for (const operation of operations) {
    const used = new Set<FragmentDefinitionNode>()
    const collect = (node: Parameters<typeof visit>[0]) =>
      visit(node, {
        FragmentSpread({ name }) {
          const fragment = fragments.get(name.value)
          if (!fragment || used.has(fragment)) return
          used.add(fragment)
          collect(fragment)
        },
      })
    collect(operation)
    expect(validate(schema, { kind: Kind.DOCUMENT, definitions: [operation, ...used] })).toEqual([])
  }
  expect(operations.length).toBeGreaterThan(30)
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
})
