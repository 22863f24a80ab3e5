import { expect, test } from 'vitest'
import { following } from './site'

const page = (totalCount: number, from: number, to: number) => ({
  totalCount,
  pageInfo: { endCursor: String(to) },
  nodes: Array.from({ length: to - from }, (_, i) => from + i),
})

test('the pages that follow are asked for one after another, until all are there or one cannot be had', async () => {
  const all = (total: number, most = total) =>
    following(page(total, 0, Math.min(5, total)), async (after) => {
      const from = Number(after)
      return from < most ? page(total, from, Math.min(from + 5, total)) : null
    })
  expect(await all(3)).toEqual([])
  expect(await all(12)).toEqual([5, 6, 7, 8, 9, 10, 11])
  expect(await all(12, 10)).toEqual([5, 6, 7, 8, 9])
  expect((await all(1_000)).length).toBe(95)
  expect(await following(null, () => Promise.reject(new Error('nothing is asked')))).toEqual([])
})
