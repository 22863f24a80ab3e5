import { expect, test } from 'vitest'
import { partsOf } from './Sentence'

test('a sentence is taken apart at its names and at what it quotes', () => {
  for (const [text, names, parts] of [
    ['Let it run.', [], ['Let it run.']],
    [
      '\u202ewen is better than old, by far.',
      ['old', '\u202ewen'],
      ['', '\u202ewen', ' is better than ', 'old', ', by far.'],
    ],
    ['98 for new headline, 97 for new.', ['new', 'new headline'], ['98 for ', 'new headline', ', 97 for ', 'new', '.']],
    ['Each one waits for a.', ['a', ''], ['Each one waits for ', 'a', '.']],
    ['(.*) beats [x]', ['(.*)', '[x]'], ['', '(.*)', ' beats ', '[x]', '']],
    ['the name "a \\"b\\"" is taken, "c" is not', [], ['the name ', '"a \\"b\\""', ' is taken, ', '"c"', ' is not']],
    ['it said "no', ['no'], ['it said "', 'no', '']],
  ] as const) {
    expect(partsOf(text, names)).toEqual(parts)
    expect(partsOf(text, names).join('')).toBe(text)
  }
})
