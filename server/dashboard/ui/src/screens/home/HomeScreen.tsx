import { useDeferredValue, useMemo, useState } from 'react'
import { useLive } from '../../api/live'
import { count, timeOfDay } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { RangePicker } from '../../parts/RangePicker'
import { intervalOf } from '../../parts/range'
import { SearchField } from '../../parts/SearchField'
import { SegmentChips } from '../../parts/SegmentChips'
import { useRange, useSite, useView, ViewLink } from '../../parts/view'
import { words } from '../../parts/words'
import { Cells } from './Cells'
import { type Card, followCards } from './cards'
import styles from './HomeScreen.module.css'
import { type Table, tableOf } from './table'

/** Goals × segments in one table, live. */
export function HomeScreen() {
  const { site } = useSite()
  const view = useView()
  const range = useRange()
  const [paused, setPaused] = useState(false)
  const table = useMemo(() => tableOf(site, view), [site, view])
  const { segments, followed } = table
  const { data, problems, stale } = useLive(
    followCards,
    {
      siteId: site.id,
      segments: segments.map(({ id }) => id),
      goals: followed?.map(({ id }) => id) ?? null,
      range,
      compare: view.compare ? 'PREVIOUS_PERIOD' : null,
      interval: intervalOf(range),
    },
    segments.length === 0 || !table.hasGoals || followed?.length === 0,
    paused,
  )
  // A large table takes longer to draw anew than a key of the search may wait.
  const drawn = useDeferredValue(table)
  const at = data?.goalCards[0]?.computedAt
  return (
    <div className="stack">
      <h1>{words.goalsBySegment}</h1>
      <SegmentChips />
      <div className="row">
        <RangePicker />
        <SearchField label={words.searchGoals} />
        <div className={`row ${styles.live}`}>
          {at && (
            <span className="faint">
              {paused ? words.pausedAt(timeOfDay(at, site.timezone)) : words.computedAt(timeOfDay(at, site.timezone))}
            </span>
          )}
          <button type="button" onClick={() => setPaused(!paused)}>
            {paused ? words.resume : words.pause}
          </button>
        </div>
      </div>
      <Problems problems={problems.filter(({ code }) => code !== 'UNAVAILABLE')} />
      <Goals table={drawn} cards={data?.goalCards} busy={stale} />
    </div>
  )
}

interface GoalsProps {
  table: Table
  cards: readonly Card[] | undefined
  busy: boolean
}

/** The table, or why there is none. */
function Goals({ table, cards, busy }: GoalsProps) {
  const { view, goals, segments, segmentsLeft } = table
  if (!table.hasGoals) return <NoGoals />
  if (segments.length === 0) return <p>{words.noSegments}</p>
  if (goals.length === 0) return <p role="status">{words.noMatch}</p>
  return (
    <>
      {segmentsLeft > 0 && (
        <p>{words.onlyFirstSegments(count(segments.length), count(segments.length + segmentsLeft))}</p>
      )}
      <Cells view={view} goals={goals} segments={segments} cards={cards} busy={busy} />
      <Pages table={table} />
    </>
  )
}

/** Leads to the goals before and after those of a page. */
function Pages({ table: { page, perPage, found } }: { table: Table }) {
  const last = Math.min(page * perPage, found)
  if (found <= perPage) return null
  return (
    <nav className="row" aria-label={words.goals}>
      {page > 1 && (
        <ViewLink className="button" to={{ page: page - 1 }}>
          {words.previousGoals}
        </ViewLink>
      )}
      <span>{words.goalsFromTo(count((page - 1) * perPage + 1), count(last), count(found))}</span>
      {last < found && (
        <ViewLink className="button" to={{ page: page + 1 }}>
          {words.nextGoals}
        </ViewLink>
      )}
    </nav>
  )
}

function NoGoals() {
  const { mayEdit } = useSite()
  return (
    <div className="box stack">
      <h2>{words.noGoals}</h2>
      <p>{words.noGoalsAdvice}</p>
      {mayEdit && (
        <p>
          <ViewLink className="button" to={{ panel: { kind: 'goal', id: null } }}>
            + {words.newGoal}
          </ViewLink>
        </p>
      )}
    </div>
  )
}
