import { useId, useState } from 'react'
import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { archiveGoal, convertGoal, createGoal, deleteGoal, unarchiveGoal } from '../../api/definitions'
import { graphql } from '../../api/graphql'
import { type Goal, goalsOf } from '../../api/site'
import { Confirm } from '../../parts/Confirm'
import { count } from '../../parts/format'
import { Moment } from '../../parts/Moment'
import { Problems } from '../../parts/Problems'
import { matches, SearchField } from '../../parts/SearchField'
import { described } from '../../parts/segments'
import { useSome } from '../../parts/some'
import { useSite, useView, ViewLink } from '../../parts/view'
import { listed, words } from '../../parts/words'

/** All goals of the site, and what could be one. */
export default function GoalsScreen() {
  const { site, mayEdit } = useSite()
  const { search } = useView()
  const [archived, setArchived] = useState(false)
  const { busy, problems, change } = useChange()
  const found = goalsOf(site).filter(
    (goal) => (archived || !goal.archived) && matches(search, goal.name, goal.key, goal.description),
  )
  const known = goalsOf(site).length
  const total = site.goals?.totalCount ?? 0
  const { shown, more } = useSome(found)
  return (
    <div className="stack">
      <h1>{words.screens.goals}</h1>
      <div className="row">
        <SearchField label={words.searchGoals} />
        <label className="row">
          <input type="checkbox" checked={archived} onChange={({ target }) => setArchived(target.checked)} />
          {words.showArchived}
        </label>
        {mayEdit && (
          <ViewLink className="button" to={{ panel: { kind: 'goal', id: null } }}>
            + {words.newGoal}
          </ViewLink>
        )}
      </div>
      <Problems problems={problems} />
      {total > known && <p>{words.onlyOldest(count(known), count(total))}</p>}
      {found.length === 0 && <p role="status">{words.noMatch}</p>}
      <ul className="stack" aria-label={words.screens.goals}>
        {shown.map((goal) => (
          <li key={goal.id} className="box stack">
            <div>
              <h2>
                <bdi>{goal.name}</bdi> {goal.archived && <span className="faint">({words.archived})</span>}
              </h2>
              <p className="faint">
                <bdi>{goal.key}</bdi>
              </p>
            </div>
            {goal.description !== '' && (
              <p>
                <bdi>{goal.description}</bdi>
              </p>
            )}
            <p>
              <bdi>{described(goal.filters)}</bdi>
            </p>
            <p className="faint">
              {words.inUseBy}: <bdi>{listed(goal.experiments.map(({ name }) => name)) || words.unused}</bdi>
            </p>
            {mayEdit && <Actions goal={goal} busy={busy} change={change} />}
          </li>
        ))}
      </ul>
      {more}
      <Candidates />
    </div>
  )
}

interface ActionsProps {
  goal: Goal
  busy: boolean
  change: ReturnType<typeof useChange>['change']
}

function Actions({ goal, busy, change }: ActionsProps) {
  const { id, name } = goal
  return (
    <div className="row">
      <ViewLink className="button" aria-label={words.named(words.edit, name)} to={{ panel: { kind: 'goal', id } }}>
        {words.edit}
      </ViewLink>
      <button
        type="button"
        disabled={busy}
        aria-label={goal.archived ? words.named(words.unarchive, name) : words.named(words.archive, name)}
        onClick={() => (goal.archived ? change(unarchiveGoal, { id }) : change(archiveGoal, { id }))}
      >
        {goal.archived ? words.unarchive : words.archive}
      </button>
      <button
        type="button"
        disabled={busy}
        aria-label={words.named(words.convertBack, name)}
        onClick={() => change(convertGoal, { id })}
      >
        {words.convertBack}
      </button>
      <Confirm
        text={words.delete}
        label={words.named(words.delete, name)}
        question={words.confirmDelete(name)}
        onConfirm={() => change(deleteGoal, { id })}
      />
    </div>
  )
}

const askEvents = graphql(`
  query Events($siteId: ID!, $search: String!) {
    site(id: $siteId) {
      id
      events(search: $search, first: 100) { nodes { name count lastSeen } }
    }
  }
`)

/** The events that no goal has for its key, each one click from being a goal. */
function Candidates() {
  const { site, mayEdit } = useSite()
  const { search } = useView()
  const id = useId()
  const { data, problems } = useAsk(askEvents, { siteId: site.id, search })
  const { busy, problems: refused, change } = useChange()
  const keys = new Set(goalsOf(site).map(({ key }) => key))
  const events = (data?.site?.events?.nodes ?? []).filter(({ name }) => !keys.has(name))
  return (
    <section className="stack" aria-labelledby={id}>
      <div>
        <h2 id={id}>{words.eventsThatAreNoGoals}</h2>
        <p className="faint">{words.eventsAdvice}</p>
      </div>
      <Problems problems={[...problems, ...refused]} />
      {data && events.length === 0 ? (
        <p>{words.noEvents}</p>
      ) : (
        <ul className="stack" aria-labelledby={id}>
          {events.map((event) => (
            <li key={event.name} className="box row">
              <span>
                <bdi>{event.name}</bdi>{' '}
                <span className="faint">
                  {words.times}: {count(event.count)}; {words.lastSeen}: <Moment at={event.lastSeen} />
                </span>
              </span>
              {mayEdit && (
                <button
                  type="button"
                  disabled={busy}
                  aria-label={words.named(words.makeGoal, event.name)}
                  onClick={() => change(createGoal, { input: { siteId: site.id, key: event.name, name: event.name } })}
                >
                  {words.makeGoal}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
