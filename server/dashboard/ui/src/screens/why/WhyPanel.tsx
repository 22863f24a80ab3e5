import { max, min } from 'd3-array'
import { useState } from 'react'
import { useAsk } from '../../api/ask'
import type { FilterInput } from '../../api/graphql'
import { useLive } from '../../api/live'
import { type Goal, goalsOf, type Segment, segmentsOf } from '../../api/site'
import { Drawer } from '../../parts/Drawer'
import { Figures } from '../../parts/Figures'
import { amount, count, none, share } from '../../parts/format'
import { Moment } from '../../parts/Moment'
import { More } from '../../parts/More'
import { Problems } from '../../parts/Problems'
import { intervalOf } from '../../parts/range'
import { SessionTable } from '../../parts/SessionTable'
import { Spark } from '../../parts/Spark'
import { described } from '../../parts/segments'
import { numbers, Table, texts } from '../../parts/Table'
import { useRange, useSite } from '../../parts/view'
import { words } from '../../parts/words'
import styles from './WhyPanel.module.css'
import { followWhy, type Merged, mergedSessions, type Why } from './why'

/** Why a cell of the table has its number: what was merged and how, the series, and the sessions themselves. */
export default function WhyPanel({ goal: goalId, segment: segmentId }: { goal: string; segment: string }) {
  const { site } = useSite()
  const goal = goalsOf(site).find(({ id }) => id === goalId)
  const segment = segmentsOf(site).find(({ id }) => id === segmentId)
  return (
    <Drawer title={goal && segment ? words.whyTitle(goal.name, segment.name) : words.why}>
      {goal && segment ? <Explanation goal={goal} segment={segment} /> : <p>{words.gone}</p>}
    </Drawer>
  )
}

function Explanation({ goal, segment }: { goal: Goal; segment: Segment }) {
  const { site } = useSite()
  const range = useRange()
  const { data, problems } = useLive(followWhy, {
    siteId: site.id,
    segment: segment.id,
    goal: goal.id,
    range,
    interval: intervalOf(range),
  })
  const cell = data?.goalCards[0]?.cells[0]
  if (!cell) return problems.length > 0 ? <Problems problems={problems} /> : <p role="status">{words.loading}</p>
  return (
    <div className="stack">
      <Problems problems={problems} />
      <Figures figures={figuresOf(cell, goal.valueEvent !== null)} />
      {cell.merged && <Merge merged={cell.merged} goal={goal} segment={segment} />}
      {cell.series && <Series goal={goal} points={cell.series} />}
      {cell.merged && !cell.merged.empty && <Sessions merged={cell.merged} />}
    </div>
  )
}

/** The figures of a cell with their names. */
function figuresOf(cell: Why, hasValue: boolean): readonly (readonly [string, string])[] {
  return [
    [words.rate, share(cell.conversionRate)],
    [words.conversions, count(cell.conversions)],
    [words.sessions, count(cell.sessions)],
    [words.visitors, count(cell.visitors)],
    ...(hasValue
      ? ([
          [words.value, amount(cell.valueTotal)],
          [words.valuePerVisitor, amount(cell.valuePerVisitor)],
        ] as const)
      : []),
  ]
}

function Merge({ merged, goal, segment }: { merged: Merged; goal: Goal; segment: Segment }) {
  const replaced = merged.filters.filter(({ rule, active, goal }) => rule === 'LAST' && active && goal)
  return (
    <div className="stack">
      <h3>{words.merged}</h3>
      {merged.empty ? (
        <p className="flag">{words.mergedEmpty}</p>
      ) : (
        <p>
          <bdi>{described(merged.filters.flatMap(({ filter }) => filter ?? []))}</bdi>
        </p>
      )}
      {replaced.map(({ goal }) => (
        <p key={goal?.label} className="flag">
          {words.lastFlag(goal?.type?.title ?? words.filters)}
        </p>
      ))}
      {merged.filters.length > 0 && (
        <Table
          label={words.merged}
          columns={[
            texts(words.filterMerged),
            texts(
              <>
                {words.filterOfSegment}: <bdi>{segment.name}</bdi>
              </>,
            ),
            texts(
              <>
                {words.filterOfGoal}: <bdi>{goal.name}</bdi>
              </>,
            ),
            texts(words.rule),
          ]}
        >
          {merged.filters.map((row, i) => (
            <tr key={i}>
              <th scope="row">
                <bdi>{row.empty ? words.excluded : (row.filter?.label ?? words.unavailable)}</bdi>
              </th>
              <td>
                <bdi>{row.active?.label ?? none}</bdi>
              </td>
              <td>
                <bdi>{row.goal?.label ?? none}</bdi>
              </td>
              <td>{row.rule && row.active && row.goal ? words.rules[row.rule] : words.kept}</td>
            </tr>
          ))}
        </Table>
      )}
    </div>
  )
}

function Series({ goal, points }: { goal: Goal; points: NonNullable<Why['series']> }) {
  const rates = points.map(({ conversionRate }) => conversionRate)
  const label = words.seriesLabel(
    goal.name,
    share(min(rates, (r) => r ?? undefined)),
    share(max(rates, (r) => r ?? undefined)),
  )
  return (
    <div className={`stack ${styles.series}`}>
      <h3>{words.overTime}</h3>
      <figure role="img" aria-label={label}>
        <Spark points={points} width={600} height={96} />
      </figure>
      <details>
        <summary>{words.seriesTable}</summary>
        <Table
          label={words.overTime}
          columns={[texts(words.interval), numbers(words.rate), numbers(words.conversions), numbers(words.sessions)]}
        >
          {points.map((point) => (
            <tr key={point.at}>
              <th scope="row">
                <Moment at={point.at} />
              </th>
              <td className="number">{share(point.conversionRate)}</td>
              <td className="number">{count(point.conversions)}</td>
              <td className="number">{count(point.sessions)}</td>
            </tr>
          ))}
        </Table>
      </details>
    </div>
  )
}

const page = 20
const mostSessions = 500

function Sessions({ merged }: { merged: Merged }) {
  const { site } = useSite()
  const range = useRange()
  const [first, setFirst] = useState(page)
  const filters = merged.filters.flatMap(({ filter }) => (filter ? [filter.inputs as FilterInput] : []))
  const { data, problems } = useAsk(mergedSessions, { siteId: site.id, filters, range, first })
  const sessions = data?.site?.sessions
  return (
    <div className="stack">
      <h3>
        {words.theSessions} {sessions && <span className="faint">({count(sessions.totalCount)})</span>}
      </h3>
      <Problems problems={problems} />
      {sessions &&
        (sessions.nodes.length === 0 ? (
          <p>{words.noSuchSessions}</p>
        ) : (
          <SessionTable sessions={sessions.nodes} label={words.theSessions} />
        ))}
      <More
        left={sessions?.pageInfo.hasNextPage === true && first < mostSessions}
        onMore={() => setFirst(Math.min(mostSessions, first * 4))}
      />
    </div>
  )
}
