import { useMemo, useState } from 'react'
import { useLive } from '../../api/live'
import { type Goal, goalsOf, type Segment } from '../../api/site'
import { count, timeOfDay } from '../../parts/format'
import { useNarrow } from '../../parts/narrow'
import { Problems } from '../../parts/Problems'
import { RangePicker } from '../../parts/RangePicker'
import { intervalOf } from '../../parts/range'
import { Scroll } from '../../parts/Scroll'
import { matches, SearchField } from '../../parts/SearchField'
import { SegmentChips } from '../../parts/SegmentChips'
import { shownSegments } from '../../parts/segments'
import { useRange, useSite, useView, ViewLink } from '../../parts/view'
import { words } from '../../parts/words'
import { CellLink } from './CellLink'
import { type Card, type Cell, followCards } from './cards'
import styles from './HomeScreen.module.css'

// More of them the graph gives in one answer to nobody.
const mostCells = 2_000
const mostGoals = 500
const mostSegments = 100

/** Goals × segments in one table, live. */
export function HomeScreen() {
  const { site } = useSite()
  const view = useView()
  const range = useRange()
  const [paused, setPaused] = useState(false)
  const chosen = shownSegments(site, view)
  const segments = chosen.slice(0, mostSegments)
  const kept = goalsOf(site).filter((goal) => !goal.archived)
  const found = kept.filter(({ name, key, description }) => matches(view.search, name, key, description))
  // What fits is followed as a whole, so that a search asks nothing.
  const isWhole = kept.length <= mostGoals && kept.length * segments.length <= mostCells
  const perPage = isWhole ? mostGoals : Math.min(mostGoals, Math.floor(mostCells / segments.length))
  const page = Math.max(1, Math.min(view.page, Math.ceil(found.length / perPage)))
  const goals = found.slice((page - 1) * perPage, page * perPage)
  const { data, problems, stale } = useLive(
    followCards,
    {
      siteId: site.id,
      segments: segments.map(({ id }) => id),
      goals: isWhole ? null : goals.map(({ id }) => id),
      range,
      compare: view.compare ? 'PREVIOUS_PERIOD' : null,
      interval: intervalOf(range),
    },
    segments.length === 0 || (isWhole ? kept : goals).length === 0,
    paused,
  )
  const cells = useCells(data?.goalCards)
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
      {kept.length === 0 ? (
        <NoGoals />
      ) : segments.length === 0 ? (
        <p>{words.noSegments}</p>
      ) : goals.length === 0 ? (
        <p role="status">{words.noMatch}</p>
      ) : (
        <>
          {chosen.length > segments.length && (
            <p>{words.onlyFirstSegments(count(segments.length), count(chosen.length))}</p>
          )}
          <Cells goals={goals} segments={segments} cells={cells} busy={stale} />
          {found.length > perPage && <Pages page={page} perPage={perPage} all={found.length} />}
        </>
      )}
    </div>
  )
}

/** Leads to the goals before and after those of a page. */
function Pages({ page, perPage, all }: { page: number; perPage: number; all: number }) {
  const last = Math.min(page * perPage, all)
  return (
    <nav className="row" aria-label={words.goals}>
      {page > 1 && (
        <ViewLink className="button" to={{ page: page - 1 }}>
          {words.previousGoals}
        </ViewLink>
      )}
      <span>{words.goalsFromTo(count((page - 1) * perPage + 1), count(last), count(all))}</span>
      {last < all && (
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

const cellKey = (goal: string, segment: string) => `${goal} ${segment}`

/** The cells by goal and segment. */
function useCells(cards: readonly Card[] | undefined): ReadonlyMap<string, Cell> {
  return useMemo(
    () =>
      new Map(
        (cards ?? []).flatMap(({ goal, cells }) =>
          cells.map((cell) => [cellKey(goal.id, cell.segment.id), cell] as const),
        ),
      ),
    [cards],
  )
}

interface CellsProps {
  goals: readonly Goal[]
  segments: readonly Segment[]
  cells: ReadonlyMap<string, Cell>
  busy: boolean
}

function Cells({ goals, segments, cells, busy }: CellsProps) {
  const view = useView()
  const narrow = useNarrow()
  const everyone = segments.find(({ filters }) => filters.length === 0)
  const link = (goal: Goal, segment: Segment) => {
    const all = everyone && everyone !== segment ? cells.get(cellKey(goal.id, everyone.id)) : undefined
    return (
      <CellLink
        view={view}
        goal={goal}
        segment={segment}
        cell={cells.get(cellKey(goal.id, segment.id))}
        all={all?.conversionRate ?? null}
      />
    )
  }
  if (narrow) {
    return (
      <ul className={styles.cards} aria-label={words.goals} aria-busy={busy}>
        {goals.map((goal) => (
          <li key={goal.id} className="box">
            <h2>
              <GoalName goal={goal} />
            </h2>
            <dl>
              {segments.map((segment) => (
                <div key={segment.id}>
                  <dt>
                    <bdi>{segment.name}</bdi>
                  </dt>
                  <dd>{link(goal, segment)}</dd>
                </div>
              ))}
            </dl>
          </li>
        ))}
      </ul>
    )
  }
  return (
    <Scroll label={words.goalsBySegment}>
      <table className={styles.table} aria-busy={busy}>
        <caption className="hidden">{words.goalsBySegment}</caption>
        <thead>
          <tr>
            <th scope="col">{words.goal}</th>
            {segments.map((segment) => (
              <th key={segment.id} scope="col">
                <bdi>{segment.name}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {goals.map((goal) => (
            <tr key={goal.id}>
              <th scope="row">
                <GoalName goal={goal} />
              </th>
              {segments.map((segment) => (
                <td key={segment.id}>{link(goal, segment)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function GoalName({ goal }: { goal: Goal }) {
  return (
    <>
      <bdi>{goal.name}</bdi>
      <span className={styles.key}>
        <bdi>{goal.key}</bdi>
      </span>
    </>
  )
}
