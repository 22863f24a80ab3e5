import { count, dayOf, share } from '../../parts/format'
import { Scroll } from '../../parts/Scroll'
import { useSite } from '../../parts/view'
import { words } from '../../parts/words'
import { Lines } from './Lines'
import type { DaySeries, Experiment } from './results'

/** What each day would have shown: who was probably the best by then. */
export function Days({ series, experiment }: { series: DaySeries; experiment: Experiment }) {
  const { site } = useSite()
  const nameOf = (key: string) => experiment.variants.find((variant) => variant.key === key)?.name ?? key
  const days = series[0]?.series ?? []
  const last = days.at(-1)
  const [first] = days
  if (!first || !last) return null
  const at = (time: string) => Date.parse(time)
  return (
    <div className="stack">
      <h2>{words.byDay}</h2>
      <p className="faint">{words.byDayHelp}</p>
      <Lines
        label={words.byDay}
        lines={series.map(({ variant, series: points }) => ({
          name: nameOf(variant.key),
          points: (points ?? []).map((point) => [at(point.at), point.probabilityToBeBest] as const),
        }))}
        from={at(first.at)}
        to={at(last.at)}
        top={1}
      />
      <details>
        <summary>{words.seriesTable}</summary>
        <Scroll label={words.byDay}>
          <table>
            <caption className="hidden">{words.byDay}</caption>
            <thead>
              <tr>
                <th scope="col">{words.day}</th>
                {series.map(({ variant }) => (
                  <th key={variant.key} scope="col" className="number">
                    <bdi>{nameOf(variant.key)}</bdi>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {days.map((day, i) => (
                <tr key={day.at}>
                  <th scope="row">{dayOf(day.at, site.timezone)}</th>
                  {series.map(({ variant, series: points }) => {
                    const point = points?.[i]
                    return (
                      <td key={variant.key} className="number">
                        {share(point?.probabilityToBeBest)} (
                        {words.ofSessions(count(point?.conversions), count(point?.visitors))})
                      </td>
                    )
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </details>
    </div>
  )
}
