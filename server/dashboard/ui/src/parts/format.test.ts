import { expect, test } from 'vitest'
import {
  amount,
  change,
  count,
  dayAfter,
  dayOf,
  duration,
  moment,
  percentOf,
  points,
  pValue,
  readPercent,
  share,
} from './format'

test('a share that is not 0 is never shown as 0 %, and one that is not all never as 100 %', () => {
  for (const [rate, text] of [
    [null, '–'],
    [0, '0.0 %'],
    [143 / 423, '33.8 %'],
    [1, '100.0 %'],
    [1.5, '150.0 %'],
    [0.004, '0.4 %'],
    [0.00042, '0.042 %'],
    [0.0000123, '0.0012 %'],
    [0.99996, '99.996 %'],
  ] as const) {
    expect(share(rate)).toBe(text)
  }
  for (let n = 1; n < 5_000; n += 37) {
    expect(share(1 / n)).not.toMatch(/^0\.0* %$/)
    expect(share(1 - 1 / (n + 1))).not.toBe('100.0 %')
  }
})

test('differences have a sign', () => {
  expect(points(0.034)).toBe('+3.4 pp')
  expect(points(-0.0004)).toBe('−0.04 pp')
  expect(points(0)).toBe('0.0 pp')
  expect(change(-0.5)).toBe('−50.0 %')
  expect(change(null)).toBe('–')
})

test('numbers, lengths and days', () => {
  expect(count(1234567)).toBe('1,234,567')
  expect(count(0)).toBe('0')
  expect(amount(10.555)).toBe('10.56')
  expect([0, 59.5, 60, 3_661, 7_200].map(duration)).toEqual(['0 s', '59.5 s', '1 min', '1 h 1 min 1 s', '2 h'])
  expect(dayOf('2026-03-01T23:30:00Z', 'Europe/Bucharest')).toBe('2026-03-02')
  expect(dayAfter('2024-02-28', 2)).toBe('2024-03-01')
  expect(dayAfter('2026-01-01', -1)).toBe('2025-12-31')
})

test('instants are said in the zone that is asked for, whichever was asked for before', () => {
  for (let i = 0; i < 2; i++) {
    expect(moment('2026-03-01T23:30:00Z', 'Europe/Bucharest')).toBe('Mar 2, 2026, 01:30:00')
    expect(moment('2026-03-01T23:30:00Z', 'UTC')).toBe('Mar 1, 2026, 23:30:00')
  }
})

test('p-values have two digits, and are never 0', () => {
  expect([null, 0, 0.00009, 0.0001, 0.0123, 0.5, 1].map(pValue)).toEqual([
    '–',
    '< 0.0001',
    '< 0.0001',
    '0.0001',
    '0.012',
    '0.5',
    '1',
  ])
})

test('a percentage that is written and read is the same share', () => {
  for (const share of [0, 0.02, 0.05, -0.05, 0.1, 0.29, 0.07, 1.5]) expect(readPercent(percentOf(share))).toBe(share)
  expect(['5', ' 5 %', '5%', '+5', '.5', '-5.25'].map(readPercent)).toEqual([0.05, 0.05, 0.05, 0.05, 0.005, -0.0525])
  for (const text of ['', '%', '5,5', '1e3', 'x', '--5', 'Infinity']) expect(readPercent(text)).toBeNull()
})
