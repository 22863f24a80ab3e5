import { expect, test } from 'vitest'
import { figures, readBy, readOrder, writeOrder } from './rows'

test('an order that is written and read is the same', () => {
  for (const by of figures) {
    for (const direction of ['ASCENDING', 'DESCENDING'] as const) {
      const order = { by, goal: by === 'CONVERSION_RATE' ? 'R29hbDox' : null, direction }
      expect(readOrder(writeOrder(order), ['R29hbDox'])).toEqual(order)
    }
  }
  expect(writeOrder({ by: 'SESSIONS', goal: null, direction: 'DESCENDING' })).toBe('')
})

test('an order that cannot be is the one by sessions', () => {
  for (const text of ['', 'up.', 'SOME', 'SESSIONS:R29hbDox', 'CONVERSION_RATE', 'CONVERSION_RATE:R29hbDoy']) {
    expect(readOrder(text, ['R29hbDox']), text).toEqual({ by: 'SESSIONS', goal: null, direction: 'DESCENDING' })
  }
})

test('a dimension may have a key, with colons in it too', () => {
  expect(readBy('COUNTRY')).toEqual({ dimension: 'COUNTRY', key: '' })
  expect(readBy('PROPERTY:a:b')).toEqual({ dimension: 'PROPERTY', key: 'a:b' })
  expect(readBy('NOTHING')).toEqual({ dimension: 'PAGE', key: '' })
})
