import { memo } from 'react'
import type { Goal, Segment } from '../../api/site'
import { count, none, points, share } from '../../parts/format'
import { Spark } from '../../parts/Spark'
import { ViewLink } from '../../parts/view'
import { words } from '../../parts/words'
import type { Cell } from './cards'
import styles from './HomeScreen.module.css'

interface CellLinkProps {
  goal: Goal
  segment: Segment
  /** Undefined before the first answer. */
  cell: Cell | undefined
  /** The goal's rate among all sessions; null if that is no column. */
  all: number | null
}

/** A cell: what share of the segment's sessions reached the goal. It leads to why. */
export const CellLink = memo(function CellLink({ goal, segment, cell, all }: CellLinkProps) {
  const failed = cell !== undefined && (cell.sessions === null || cell.conversions === null)
  const rate = failed ? words.unavailable : share(cell?.conversionRate)
  const of = failed || !cell ? none : words.ofSessions(count(cell.conversions), count(cell.sessions))
  const difference = all !== null && cell?.conversionRate != null ? cell.conversionRate - all : null
  const before = cell?.comparison
  return (
    <ViewLink className={styles.cell ?? ''} to={{ panel: { kind: 'why', goal: goal.id, segment: segment.id } }}>
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
    </ViewLink>
  )
}, isSame)

const tone = (difference: number) => (difference > 0 ? styles.up : difference < 0 ? styles.down : undefined)

/** Each message has new objects, most with the figures that are shown already. */
function isSame(a: CellLinkProps, b: CellLinkProps): boolean {
  return (
    a.goal.id === b.goal.id &&
    a.goal.name === b.goal.name &&
    a.segment.id === b.segment.id &&
    a.segment.name === b.segment.name &&
    a.all === b.all &&
    JSON.stringify(a.cell) === JSON.stringify(b.cell)
  )
}
