import type { ReactNode } from 'react'
import { Scroll } from './Scroll'

type Direction = 'ASCENDING' | 'DESCENDING'

/** A column: its head, whether it has numbers, and how the rows are ordered by it; null if they are not. */
export interface Column {
  readonly head: ReactNode
  readonly isNumber: boolean
  readonly direction: Direction | null
}

/** A column of texts. */
export const texts = (head: ReactNode, direction: Direction | null = null): Column => ({
  head,
  isNumber: false,
  direction,
})

/** A column of numbers. */
export const numbers = (head: ReactNode, direction: Direction | null = null): Column => ({
  head,
  isNumber: true,
  direction,
})

const sorts = { ASCENDING: 'ascending', DESCENDING: 'descending' } as const

interface TableProps {
  /** What the table shows. */
  label: string
  columns: readonly Column[]
  /** Whether the rows are those of another question. */
  busy?: boolean
  className?: string
  /** The rows. */
  children: ReactNode
}

/** A table, with a row of heads. It may be wider than the page. */
export function Table({ label, columns, busy = false, className, children }: TableProps) {
  return (
    <Scroll label={label}>
      <table className={className} aria-busy={busy}>
        <caption className="hidden">{label}</caption>
        <thead>
          <tr>
            {columns.map(({ head, isNumber, direction }, i) => (
              <th
                key={i}
                scope="col"
                className={isNumber ? 'number' : undefined}
                aria-sort={direction ? sorts[direction] : undefined}
              >
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </Scroll>
  )
}
