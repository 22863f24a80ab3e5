import { expect, test } from 'vitest'
import type { Site } from '../api/site'
import { usersOf } from './uses'

test('a segment is in use by what names it in a filter, in groups too, and once', () => {
  const of = (id: string, name: string, ...inputs: unknown[]) => ({
    id,
    name,
    filters: inputs.map((inputs) => ({ inputs })),
  })
  const site = {
    segments: {
      nodes: [of('a', 'A'), of('b', 'B', { not: { member: 'a' } }, { any: [{ member: 'a' }, { member: 'c' }] })],
    },
    goals: { nodes: [of('g', 'G', { member: 'b' }), of('h', 'H', { page: { is: ['/a'] } })] },
  } as unknown as Site
  expect([...usersOf(site)]).toEqual([
    ['a', ['B']],
    ['b', ['G']],
  ])
})
