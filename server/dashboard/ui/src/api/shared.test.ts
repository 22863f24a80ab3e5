import { expect, test } from 'vitest'
import { shared } from './shared'

test('what is the same is the former one', () => {
  const former = { cells: [{ of: { id: 'a' }, n: 1 }, { of: { id: 'b' }, n: 2 }, null], at: 'noon' }
  expect(shared(former, structuredClone(former))).toBe(former)

  const next = { ...structuredClone(former), at: 'one' }
  const after = shared(former, next)
  expect(after).toEqual({ ...former, at: 'one' })
  expect(after).not.toBe(former)
  expect(after.cells).toBe(former.cells)
})

test('what has changed is the next one, with its other parts', () => {
  const former = {
    cells: [
      { of: { id: 'a' }, n: 1 },
      { of: { id: 'b' }, n: 2 },
    ],
  }
  const want = {
    cells: [
      { of: { id: 'a' }, n: 1 },
      { of: { id: 'b' }, n: 3 },
    ],
  }
  const after = shared(former, structuredClone(want))
  expect(after).toEqual(want)
  expect(after.cells[0]).toBe(former.cells[0])
  expect(after.cells[1]).not.toBe(former.cells[1])
  expect(after.cells[1]?.of).toBe(former.cells[1]?.of)
  expect(former.cells[1]?.n).toBe(2)
})

test('what comes, goes or becomes another kind of value is as it comes', () => {
  const values = [
    null,
    0,
    '',
    'a',
    [],
    {},
    [1],
    [1, 2],
    [[1]],
    { 0: 1 },
    { a: 1 },
    { a: 1, b: 2 },
    { b: 1 },
    { a: null },
  ]
  for (const former of [undefined, ...values]) {
    for (const value of values) {
      const next = structuredClone(value)
      expect(shared(structuredClone(former), next), JSON.stringify([former, value])).toEqual(value)
    }
  }
})
