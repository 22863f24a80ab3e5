import type { Problem } from '../api/problem'
import { words } from './words'

/** Tells what went wrong, in the server's words; nothing if all is well. */
export function Problems({ problems }: { problems: readonly Problem[] }) {
  if (problems.length === 0) return null
  const texts = new Set(problems.map(({ code, message }) => (code === 'NOT_CONNECTED' ? words.notConnected : message)))
  return (
    <div className="notice" role="alert">
      <strong>{words.problem}</strong>
      {[...texts].map((text) => (
        <p key={text}>{text}</p>
      ))}
    </div>
  )
}
