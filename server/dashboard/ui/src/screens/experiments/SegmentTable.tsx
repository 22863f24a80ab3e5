import { count, none, pValue, share } from '../../parts/format'
import { numbers, Table, texts } from '../../parts/Table'
import { words } from '../../parts/words'
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
      <Table
        label={words.bySegment}
        columns={[
          texts(words.filterOfSegment),
          texts(words.decision),
          ...variants.map(({ key, name }) => numbers(<bdi key={key}>{name}</bdi>)),
        ]}
        busy={busy}
      >
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
                    {of && <span className="small">{words.ofSessions(count(of.conversions), count(of.visitors))}</span>}
                    {of?.adjustedPValue != null && <span className="small">{words.p(pValue(of.adjustedPValue))}</span>}
                  </td>
                )
              })}
            </tr>
          )
        })}
      </Table>
    </div>
  )
}
