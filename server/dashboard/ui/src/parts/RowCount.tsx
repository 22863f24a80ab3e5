import { count } from './format'
import { words } from './words'

/** How many rows of all a table has; what is said instead of "0 of 0" may be given. */
export function RowCount({ shown, all, empty }: { shown: number; all: number | null; empty?: string }) {
  return (
    <p role="status" className="faint">
      {all === 0 && empty !== undefined ? empty : words.rowsOf(count(shown), count(all))}
    </p>
  )
}
