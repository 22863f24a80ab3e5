import { memo } from 'react'
import { count, none, points, share } from '../../parts/format'
import { Spark } from '../../parts/Spark'
import { follow } from '../../parts/view'
import { words } from '../../parts/words'
import type { Cell } from './cards'
import styles from './HomeScreen.module.css'

interface CellLinkProps {
  id: string
  /** The ids of what names the cell: its goal, its segment, itself and where it leads. */
  namedBy: string
  href: string
  /** Undefined before the first answer. */
  cell: Cell | undefined
  /** The goal's rate among all sessions; null if that is no column. */
  all: number | null
}

/**
 * A cell: what share of the segment's sessions reached the goal. It leads to why. A large table has thousands, so it is as few
 * elements as it can be, and drawn anew only when it has changed.
 */
export const CellLink = memo(function CellLink({ id, namedBy, href, cell, all }: CellLinkProps) {
  const failed = cell !== undefined && (cell.sessions === null || cell.conversions === null)
  const rate = failed ? words.unavailable : share(cell?.conversionRate)
  const of = failed || !cell ? none : words.ofSessions(count(cell.conversions), count(cell.sessions))
  const difference = all !== null && cell?.conversionRate != null ? cell.conversionRate - all : null
  return (
    <a id={id} className={styles.cell} href={href} aria-labelledby={namedBy} onClick={follow}>
      <span className={failed ? 'bad' : styles.rate}>{rate}</span>
      {cell?.series && <Spark points={cell.series} />}
      <span className={styles.small}>{of}</span>
      {difference !== null && <span className={styles.small}>{words.toAll(points(difference))}</span>}
      {cell?.comparison && <Before before={cell.comparison} />}
    </a>
  )
})

function Before({ before }: { before: NonNullable<Cell['comparison']> }) {
  const by = before.rateDifference
  return (
    <span className={styles.small}>
      {words.before(share(before.conversionRate))}
      {by && (
        <>
          {' '}
          <span className={by.significant ? tone(by.difference) : undefined}>
            {points(by.difference)}
            {by.significant && `, ${words.moreThanChance}`}
          </span>
        </>
      )}
    </span>
  )
}

const tone = (difference: number) => (difference > 0 ? styles.up : difference < 0 ? styles.down : undefined)
