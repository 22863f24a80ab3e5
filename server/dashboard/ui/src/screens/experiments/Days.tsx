import { count, dayOf, share } from '../../parts/format'
import { numbers, Table, texts } from '../../parts/Table'
import { useSite } from '../../parts/view'
import { words } from '../../parts/words'
import { Lines } from './Lines'
import type { DaySeries, Experiment } from './results'
import { axisOf, bound, within } from './uplift'

interface DaysProps {
  series: DaySeries
  experiment: Experiment
}

/** What each day would have shown: who was probably the best by then, and the uplifts with bounds that hold at any time. */
export function Days({ series, experiment }: DaysProps) {
  const nameOf = (key: string) => experiment.variants.find((variant) => variant.key === key)?.name ?? key
  const named = series.map(({ variant, series: points }) => ({
    key: variant.key,
    name: nameOf(variant.key),
    points: (points ?? []).map((point) => ({ ...point, time: Date.parse(point.at), uplift: point.anytime?.uplift })),
  }))
  const days = named[0]?.points ?? []
  const first = days[0]?.time
  const last = days.at(-1)?.time
  if (first === undefined || last === undefined) return null
  const bounded = named
    .map(({ name, points }) => ({
      name,
      bounds: points.flatMap(({ time, uplift }) => (uplift ? [{ time, ...uplift }] : [])),
    }))
    .filter(({ bounds }) => bounds.length > 0)
  const axis = axisOf(bounded.flatMap(({ bounds }) => bounds))
  return (
    <div className="stack">
      <h2>{words.byDay}</h2>
      <p className="faint">{words.byDayHelp}</p>
      <Lines
        label={words.byDay}
        lines={named.map(({ name, points }) => ({
          name,
          points: points.map(({ time, probabilityToBeBest }) => [time, probabilityToBeBest] as const),
        }))}
        from={first}
        to={last}
        top={1}
      />
      {bounded.length > 0 && (
        <>
          <h3>{words.boundsByDay}</h3>
          <p className="faint">{words.boundsByDayHelp(bound(axis.low), bound(axis.high))}</p>
          <Lines
            label={words.boundsByDay}
            lines={bounded.map(({ name, bounds }) => ({
              name,
              points: bounds.map(({ time, mean }) => [time, within(axis, mean)] as const),
              band: bounds.map(({ time, low, high }) => [time, within(axis, low), within(axis, high)] as const),
            }))}
            from={first}
            to={last}
            bottom={axis.low}
            top={axis.high}
          />
        </>
      )}
      <DayTable variants={named} />
    </div>
  )
}

interface Named {
  readonly key: string
  readonly name: string
  readonly points: readonly (NonNullable<DaySeries[number]['series']>[number] & {
    readonly uplift: { readonly low: number; readonly high: number } | null | undefined
  })[]
}

function DayTable({ variants }: { variants: readonly Named[] }) {
  const { site } = useSite()
  return (
    <details>
      <summary>{words.seriesTable}</summary>
      <Table
        label={words.byDay}
        columns={[texts(words.day), ...variants.map(({ key, name }) => numbers(<bdi key={key}>{name}</bdi>))]}
      >
        {variants[0]?.points.map(({ at }, i) => (
          <tr key={at}>
            <th scope="row">{dayOf(at, site.timezone)}</th>
            {variants.map(({ key, points }) => {
              const point = points[i]
              return (
                <td key={key} className="number">
                  {share(point?.probabilityToBeBest)} (
                  {words.ofSessions(count(point?.conversions), count(point?.visitors))})
                  {point?.uplift && (
                    <span className="small">{words.atAnyTime(bound(point.uplift.low), bound(point.uplift.high))}</span>
                  )}
                </td>
              )
            })}
          </tr>
        ))}
      </Table>
    </details>
  )
}
