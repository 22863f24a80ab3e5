import { expect, test } from 'vitest'
import type { Goal, Segment, Site } from '../../api/site'
import { readAddress } from '../../parts/address'
import { tableOf } from './table'

const goal = (n: number) =>
  ({ id: `goal ${n}`, key: `key ${n}`, name: `Goal ${n}`, description: '', archived: n === 0 }) as Goal
const segment = (n: number) => ({ id: `segment ${n}`, name: `Segment ${n}`, active: n !== 0 }) as Segment

/** A site whose first goal is archived, and whose first segment is not active. */
const siteOf = (goals: number, segments: number) =>
  ({
    goals: { nodes: Array.from({ length: goals }, (_, n) => goal(n)) },
    segments: { nodes: Array.from({ length: segments }, (_, n) => segment(n)) },
  }) as Site

const tableAt = (site: Site, query: string) => tableOf(site, readAddress('/sites/shop.example', query))

test('what fits is followed as a whole, also during a search', () => {
  const table = tableAt(siteOf(51, 21), 'search=goal 1')
  expect(table).toMatchObject({ followed: null, hasGoals: true, segmentsLeft: 0, found: 11, page: 1 })
  expect(table.goals.map(({ name }) => name)).toEqual(['Goal 1', ...Array.from({ length: 10 }, (_, n) => `Goal 1${n}`)])
  expect(table.segments).toHaveLength(20)
})

test('what does not fit comes page by page, and what is on the page is followed', () => {
  const site = siteOf(111, 21)
  expect(tableAt(site, '')).toMatchObject({ perPage: 100, found: 110, page: 1 })
  const last = tableAt(site, 'page=2')
  expect(last.goals.map(({ name }) => name)).toEqual(Array.from({ length: 10 }, (_, n) => `Goal ${101 + n}`))
  expect(last.followed).toBe(last.goals)
  expect(tableAt(site, 'page=9').page).toBe(2)
})

test('so many segments, no goals or no segments', () => {
  expect(tableAt(siteOf(2, 151), '')).toMatchObject({ segmentsLeft: 50, followed: null })
  expect(tableAt(siteOf(1, 3), '')).toMatchObject({ hasGoals: false, goals: [], page: 1 })
  expect(tableAt(siteOf(3, 3), 'segments=').segments).toEqual([])
  expect(tableAt(siteOf(3, 3), 'search=nothing')).toMatchObject({ hasGoals: true, goals: [], found: 0, page: 1 })
})
