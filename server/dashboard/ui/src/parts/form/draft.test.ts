import {
  buildSchema,
  coerceInputValue,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  introspectionFromSchema,
  parseType,
  typeFromAST,
} from 'graphql'
import { expect, test } from 'vitest'
import { numbers } from '../numbers.testing'
import { begin, type Draft, draftOf, type Fault, inputOf } from './draft'
import { type AskedType, objectOf, type Shape, type Shapes, shapesOf } from './shape'

type Next = ReturnType<typeof numbers>

const scalars = ['String', 'Int', 'Float', 'Boolean', 'ID', 'JSON']

/** A random schema: some input objects, with and without oneOf, that name each other, and enums. */
function randomSchema(next: Next): GraphQLSchema {
  const objects = ['A', 'B', 'C', 'D']
  const leaves = [...scalars, 'E', 'F']
  const wrap = (name: string, open: boolean): string => {
    const inner = next(3) === 0 ? `[${name}${next(2) ? '!' : ''}]` : name
    return open ? inner : inner + (next(3) === 0 ? '!' : '')
  }
  const bodies = objects.map((name, i) => {
    const oneOf = next(3) === 0
    const fields = Array.from({ length: 1 + next(4) }, (_, n) => {
      const nested = next(3) === 0
      // Only a later object may be required, so that every value ends.
      const later = objects.slice(i + 1)
      const target = nested
        ? later.length > 0 && next(2)
          ? later[next(later.length)]
          : objects[next(4)]
        : leaves[next(8)]
      const open = oneOf || (nested && !later.includes(String(target)))
      return `f${n}: ${wrap(String(target), open)}`
    })
    // Of oneOf one must be a leaf, for the same reason.
    return `input ${name} ${oneOf ? '@oneOf' : ''} { ${oneOf ? 'leaf: String ' : ''}${fields.join(' ')} }`
  })
  return buildSchema(
    `scalar JSON enum E { ONE TWO } enum F { X } type Query { q(a: A b: B c: C d: D): Int } ${bodies.join('\n')}`,
  )
}

const shapesFor = (schema: GraphQLSchema): Shapes =>
  shapesOf(introspectionFromSchema(schema, { oneOf: true }).__schema.types as unknown as AskedType[])

/** A draft as somebody might fill it in, without faults. */
function fill(next: Next, shapes: Shapes, shape: Shape, depth: number): Draft {
  switch (shape.kind) {
    case 'list':
      return Array.from({ length: depth > 4 ? 0 : next(3) }, () => fill(next, shapes, shape.of, depth + 1))
    case 'enum': {
      const values = shapes.enums.get(shape.name) ?? []
      return String(values[next(values.length)]?.name)
    }
    case 'object': {
      const { oneOf, fields } = objectOf(shapes, shape.name)
      if (oneOf) {
        const chosen = fields[depth > 4 ? 0 : next(fields.length)]
        return chosen ? { [chosen.name]: fill(next, shapes, chosen.shape, depth + 1) } : {}
      }
      return Object.fromEntries(
        fields
          .filter(({ required }) => required || (depth < 4 && next(2) === 0))
          .map((field) => [field.name, fill(next, shapes, field.shape, depth + 1)]),
      )
    }
    default:
      return (
        { Int: String(next(99) - 50), Float: '-1.5e3', Boolean: 'false', JSON: '{"a":[1]}' }[shape.name] ??
        `text ${next(9)}`
      )
  }
}

test('what a form of any input type makes is coerced by GraphQL, and comes back as the same draft', () => {
  const next = numbers(20)
  let values = 0
  for (let round = 0; round < 20; round++) {
    const schema = randomSchema(next)
    const shapes = shapesFor(schema)
    for (const name of ['A', 'B', 'C', 'D']) {
      const type = typeFromAST(schema, parseType(`${name}!`)) as GraphQLInputType
      const shape: Shape = { kind: 'object', name, required: true }
      for (let i = 0; i < 4; i++) {
        const draft = fill(next, shapes, shape, 0)
        const faults: Fault[] = []
        const value = inputOf(shapes, shape, draft, '', faults)
        expect(faults, JSON.stringify(draft)).toEqual([])
        coerceInputValue(value, type, (path, _, error) => {
          throw new Error(`${getNamedType(type)} at ${path.join('.')}: ${error.message}: ${JSON.stringify(value)}`)
        })
        const again: Fault[] = []
        expect(inputOf(shapes, shape, draftOf(shapes, shape, value), '', again)).toEqual(value)
        values++
      }
    }
  }
  expect(values).toBe(320)
})

const shapes = shapesFor(
  buildSchema(`
    input Filter @oneOf { all: [Filter!] not: Filter range: Range names: Names }
    input Range { min: Int max: Int }
    input Names { is: [String!]! how: How! = ANY }
    enum How { ANY EVERY }
    type Query { q(filter: Filter): Int }
  `),
)
const filter: Shape = { kind: 'object', name: 'Filter', required: true }

test('faults stand where the server would see them', () => {
  const faultsOf = (draft: Draft) => {
    const faults: Fault[] = []
    inputOf(shapes, filter, draft, 'filters[0]', faults)
    return faults.map(({ path }) => path)
  }
  expect(faultsOf({})).toEqual(['filters[0]'])
  expect(faultsOf({ range: { min: '1.5', max: '3000000000' } })).toEqual([
    'filters[0].range.min',
    'filters[0].range.max',
  ])
  expect(faultsOf({ names: {} })).toEqual(['filters[0].names.is'])
  expect(faultsOf({ names: { is: ['a', ''] } })).toEqual(['filters[0].names.is[1]'])
  expect(faultsOf({ all: [{ not: {} }, { range: {} }] })).toEqual(['filters[0].all[0].not'])
})

test('a value begins with what must be given, and one value is read as a list', () => {
  expect(begin(shapes, { kind: 'object', name: 'Names', required: true })).toEqual({ is: [] })
  expect(draftOf(shapes, filter, { names: { is: 'a' } })).toEqual({ names: { is: ['a'] } })
  expect(draftOf(shapes, filter, { range: { min: 5, max: null } })).toEqual({ range: { min: '5' } })
})
