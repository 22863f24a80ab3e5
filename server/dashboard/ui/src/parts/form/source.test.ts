import { expect, test } from 'vitest'
import { sourceOf } from './source'

const argument = (path: string, suggest: 'VALUES' | 'EVENTS' | 'PROPERTIES', more = {}) => ({
  path,
  suggest,
  valuesKey: null,
  valuesKeyPath: null,
  dimension: null,
  ...more,
})

test('an argument is completed as its filter type says', () => {
  const type = {
    name: 'property',
    title: 'Property',
    description: '',
    mergeRule: 'INTERSECTION' as const,
    computed: false,
    inputType: 'PropertyFilter',
    plugin: null,
    arguments: [
      argument('key', 'PROPERTIES'),
      argument('is', 'VALUES', { valuesKeyPath: 'key', dimension: 'PROPERTY' }),
      argument('in.source', 'VALUES', { valuesKey: 'source' }),
      argument('event', 'EVENTS'),
    ],
  }
  const source = (path: string, draft = {}) =>
    sourceOf([type], { type: 'property', path: 'filters[0].not.property', draft }, `filters[0].not.property.${path}`)
  expect(source('key')).toEqual({ suggest: 'VALUES', filterType: 'property', key: null })
  expect(source('is')).toEqual({ suggest: 'VALUES', filterType: 'property', key: undefined })
  expect(source('is', { key: 'plan' })).toEqual({ suggest: 'VALUES', filterType: 'property', key: 'plan' })
  expect(source('in.source')).toEqual({ suggest: 'VALUES', filterType: 'property', key: 'source' })
  expect(source('event')?.suggest).toBe('EVENTS')
  expect(source('other')).toBeNull()
  expect(sourceOf([type], null, 'filters[0].property.is')).toBeNull()
})
