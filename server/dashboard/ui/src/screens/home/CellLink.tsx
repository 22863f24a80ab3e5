import { memo } from 'react'
import type { Goal, Segment } from '../../api/site'
import { type View, writeAddress } from '../../parts/address'
import { count, none, points, share } from '../../parts/format'
import { Spark } from '../../parts/Spark'
import { follow } from '../../parts/view'
import { words } from '../../parts/words'
import type { Cell } from './cards'
import styles from './HomeScreen.module.css'

interface CellLinkProps {
  /** The view that the link adds a panel to. */
  view: View
  goal: Goal
  segment: Segment
  /** Undefined before the first answer. */
  cell: Cell | undefined
  /** The goal's rate among all sessions; null if that is no column. */
  all: number | null
}

/** A cell: what share of the segment's sessions reached the goal. It leads to why. */
export const CellLink = memo(function CellLink({ view, goal, segment, cell, all }: CellLinkProps) {
  const failed = cell !== undefined && (cell.sessions === null || cell.conversions === null)
  const rate = failed ? words.unavailable : share(cell?.conversionRate)
  const of = failed || !cell ? none : words.ofSessions(count(cell.conversions), count(cell.sessions))
  const difference = all !== null && cell?.conversionRate != null ? cell.conversionRate - all : null
  const before = cell?.comparison
  return (
    <a
      className={styles.cell}
      href={writeAddress({ ...view, panel: { kind: 'why', goal: goal.id, segment: segment.id } })}
      onClick={follow}
    >
      <span className="hidden">{words.cellOf(goal.name, segment.name)}</span>
      <span className={failed ? 'bad' : styles.rate}>{rate}</span>
      {cell?.series && <Spark points={cell.series.map((point) => point.conversionRate)} />}
      <span className={styles.small}>{of}</span>
      <span className={styles.small}>{difference !== null && words.toAll(points(difference))}</span>
      {before && (
        <span className={styles.small}>
          {words.before(share(before.conversionRate))}
          {before.rateDifference && (
            <>
              {' '}
              <span className={tone(before.rateDifference.significant ? before.rateDifference.difference : 0)}>
                {points(before.rateDifference.difference)}
                {before.rateDifference.significant ? `, ${words.moreThanChance}` : ''}
              </span>
            </>
          )}
        </span>
      )}
      <span className="hidden">. {words.why}</span>
    </a>
  )
}, isSame)

const tone = (difference: number) => (difference > 0 ? styles.up : difference < 0 ? styles.down : undefined)

/** Each message has new objects, most with the figures that are shown already. */
function isSame(a: CellLinkProps, b: CellLinkProps): boolean {
  return (
    a.view === b.view &&
    a.goal.id === b.goal.id &&
    a.goal.name === b.goal.name &&
    a.segment.id === b.segment.id &&
    a.segment.name === b.segment.name &&
    a.all === b.all &&
    (a.cell === b.cell || (a.cell !== undefined && b.cell !== undefined && isSameCell(a.cell, b.cell)))
  )
}

function isSameCell(a: Cell, b: Cell): boolean {
  const [first, second] = [a.comparison?.rateDifference, b.comparison?.rateDifference]
  return (
    a.sessions === b.sessions &&
    a.conversions === b.conversions &&
    a.conversionRate === b.conversionRate &&
    a.comparison?.conversionRate === b.comparison?.conversionRate &&
    first?.difference === second?.difference &&
    first?.significant === second?.significant &&
    a.series?.length === b.series?.length &&
    (a.series ?? []).every((point, i) => point.conversionRate === b.series?.[i]?.conversionRate)
  )
}
