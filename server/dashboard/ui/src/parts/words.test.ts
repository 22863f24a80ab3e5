import { expect, test } from 'vitest'
import { isolate, listed, words } from './words'

test('a name in a sentence keeps to itself, whatever signs of direction it has', () => {
  for (const name of ['Paid', '\u202eorders', '\u2069\u202eorders', '\u2067\u2066x\u2069\u2069\u2069', '']) {
    const sentence = words.confirmDelete(name)
    const [start, end] = [sentence.indexOf('\u2068'), sentence.indexOf('\u2069')]
    expect(sentence.slice(0, start) + sentence.slice(end + 1)).toBe('Delete  for good?')
    expect(sentence.slice(start + 1, end)).toBe(name.replace(/[\u2066-\u2069]/g, ''))
  }
  expect(listed(['a', '\u202eb'])).toBe(`${isolate('a')}, ${isolate('\u202eb')}`)
  expect(listed([])).toBe('')
})
