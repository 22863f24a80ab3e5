import { count, none, pValue, share } from '../../parts/format'
import { Scroll } from '../../parts/Scroll'
import { words } from '../../parts/words'
import styles from './Experiments.module.css'
import type { Experiment, SegmentRow } from './results'

interface SegmentTableProps {
  rows: readonly SegmentRow[]
  variants: Experiment['variants']
  /** The name of the segment that all rows are within; null for every session. */
  within: string | null
  busy: boolean
}

/** The primary metric by segment: each segment's decision, and each variant's rate in it. */
export function SegmentTable({ rows, variants, within, busy }: SegmentTableProps) {
  return (
    <div className="stack">
      <h2>{words.bySegment}</h2>
      <p className="faint">
        {words.bySegmentHelp} {within !== null && words.bySegmentWithin(within)}
      </p>
      <Scroll label={words.bySegment}>
        <table aria-busy={busy}>
          <caption className="hidden">{words.bySegment}</caption>
          <thead>
            <tr>
              <th scope="col">{words.filterOfSegment}</th>
              <th scope="col">{words.decision}</th>
              {variants.map(({ key, name }) => (
                <th key={key} scope="col" className="number">
                  <bdi>{name}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ segment, result }) => {
              const metric = result?.metrics[0]
              return (
                <tr key={segment.id}>
                  <th scope="row">
                    <bdi>{segment.name}</bdi>
                  </th>
                  <td>{metric?.decision ? words.decisions[metric.decision] : words.unavailable}</td>
                  {variants.map(({ key }) => {
                    const of = metric?.variants?.find(({ variant }) => variant.key === key)
                    return (
                      <td key={key} className="number">
                        {of && of.visitors > 0 ? share(of.conversionRate.mean) : none}
                        {of && (
                          <span className={styles.small}>
                            {words.ofSessions(count(of.conversions), count(of.visitors))}
                          </span>
                        )}
                        {of?.adjustedPValue != null && (
                          <span className={styles.small}>{words.p(pValue(of.adjustedPValue))}</span>
                        )}
                      </td>
                    )
                  })}
                </tr>
              )
            })}
          </tbody>
        </table>
      </Scroll>
    </div>
  )
}
