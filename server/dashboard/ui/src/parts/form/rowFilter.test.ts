import { buildSchema, introspectionFromSchema } from 'graphql'
import { expect, test } from 'vitest'
import { rowFilter } from './rowFilter'
import { type AskedType, type FilterType, shapesOf } from './shape'

const shapes = shapesOf(
  introspectionFromSchema(
    buildSchema(`
      input Own { place: Place! }
      input Place { is: [String!] }
      input Country { is: [String!] isNot: [String!] }
      input Hour { is: [Int!]! }
      input Property { key: String! is: [String!] }
      input Kind { kind: How }
      enum How { NEW OLD }
      type Query { q(a: Own b: Country c: Hour d: Property e: Kind): Int }
    `),
    { oneOf: true },
  ).__schema.types as unknown as AskedType[],
)

const argument = (
  path: string,
  dimension: FilterType['arguments'][number]['dimension'],
  valuesKeyPath: string | null = null,
) => ({
  path,
  dimension,
  valuesKeyPath,
  valuesKey: null,
  suggest: null,
})

const type = (name: string, inputType: string, builtin: boolean, list: FilterType['arguments']): FilterType => ({
  name,
  inputType,
  title: name,
  description: '',
  mergeRule: 'INTERSECTION',
  computed: false,
  plugin: { name: 'plugin', status: 'RUNNING', builtin },
  arguments: list,
})

const types = [
  type('area', 'Own', false, [argument('place.is', 'COUNTRY'), argument('place.is', 'CITY')]),
  type('country', 'Country', true, [argument('is', 'COUNTRY'), argument('isNot', null)]),
  type('hour', 'Hour', true, [argument('is', 'HOUR')]),
  type('kind', 'Kind', true, [argument('kind', 'VISITOR_KIND')]),
  type('property', 'Property', true, [argument('key', null), argument('is', 'PROPERTY', 'key')]),
]

test('a row becomes the filter that the served types say, the built-in ones first', () => {
  for (const [dimension, key, value, filter] of [
    ['COUNTRY', '', 'RO', { country: { is: ['RO'] } }],
    ['CITY', '', 'Iași', { area: { place: { is: ['Iași'] } } }],
    ['HOUR', '', '13', { hour: { is: [13] } }],
    ['VISITOR_KIND', '', 'NEW', { kind: { kind: 'NEW' } }],
    ['PROPERTY', 'plan', 'pro', { property: { is: ['pro'], key: 'plan' } }],
    ['PAGE', '', '/', null],
  ] as const) {
    expect(rowFilter(shapes, types, dimension, key, value)).toEqual(filter)
  }
})

test('a type whose input the schema no longer has makes no filter', () => {
  const gone = [type('page', 'Gone', true, [argument('is', 'PAGE')])]
  expect(rowFilter(shapes, gone, 'PAGE', '', '/')).toBeNull()
})
