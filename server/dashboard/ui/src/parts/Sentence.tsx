// What the server quotes, as Go does.
const quoted = '"(?:[^"\\\\]|\\\\.)*"'

const literally = (name: string) => name.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
const wholly = (name: string) => `(?<![\\p{L}\\p{N}])${literally(name)}(?![\\p{L}\\p{N}])`

/** Takes a sentence apart: at odd places stand what it quotes and the names in it. */
export function partsOf(text: string, names: readonly string[] = []): readonly string[] {
  const known = names.filter((name) => name !== '').sort((a, b) => b.length - a.length)
  return text.split(new RegExp(`(${[quoted, ...known.map(wholly)].join('|')})`, 'u'))
}

interface SentenceProps {
  text: string
  /** Names that may be in it. */
  names?: readonly string[]
}

/** A sentence of the server's. What others have named keeps its direction to itself. */
export function Sentence({ text, names }: SentenceProps) {
  return partsOf(text, names).map((part, i) => (i % 2 === 1 ? <bdi key={i}>{part}</bdi> : part))
}
