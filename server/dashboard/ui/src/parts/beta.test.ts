import { expect, test } from 'vitest'
import { density } from './beta'

/** The area below the curve up to a rate, by Simpson's rule. */
function area(to: number, conversions: number, visitors: number): number {
  const n = 20_000
  const h = to / n
  let sum = density(0, conversions, visitors) + density(to, conversions, visitors)
  for (let i = 1; i < n; i++) sum += (i % 2 === 0 ? 2 : 4) * density(i * h, conversions, visitors)
  return (sum * h) / 3
}

// The marks are the server's, from docs/experiments.md and from its tests of intervals.
test('2.5 % of the curve lie below the low mark of the server, and as much above the high one', () => {
  for (const [conversions, visitors, low, high] of [
    [0, 1, 0.01257911709342537, 0.8418861169915863],
    [1, 1, 0.1581138830084231, 0.9874208829065765],
  ] as const) {
    expect(area(low, conversions, visitors)).toBeCloseTo(0.025, 5)
    expect(1 - area(high, conversions, visitors)).toBeCloseTo(0.025, 5)
  }
})

test('the whole area is 1, of large numbers too', () => {
  for (const [conversions, visitors] of [
    [0, 0],
    [3, 10],
    [143, 423],
    [9_000, 100_000],
  ] as const) {
    expect(area(1, conversions, visitors)).toBeCloseTo(1, 6)
  }
})
