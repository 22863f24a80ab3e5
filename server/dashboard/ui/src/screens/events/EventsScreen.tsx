import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { createGoal } from '../../api/definitions'
import { graphql } from '../../api/graphql'
import { goalsOf } from '../../api/site'
import { count } from '../../parts/format'
import { Moment } from '../../parts/Moment'
import { Problems } from '../../parts/Problems'
import { RowCount } from '../../parts/RowCount'
import { SearchField } from '../../parts/SearchField'
import { numbers, Table, texts } from '../../parts/Table'
import { useSite, useView, ViewLink } from '../../parts/view'
import { words } from '../../parts/words'

const askEvents = graphql(`
  query AllEvents($siteId: ID!, $search: String!) {
    site(id: $siteId) {
      id
      events(search: $search, first: 500) {
        totalCount
        nodes { id name count firstSeen lastSeen hasValue }
      }
    }
  }
`)

/** Every event name that has arrived. */
export default function EventsScreen() {
  const { site, mayEdit } = useSite()
  const { search } = useView()
  const { data, problems } = useAsk(askEvents, { siteId: site.id, search })
  const { busy, problems: refused, change } = useChange()
  const goals = new Map(goalsOf(site).map((goal) => [goal.key, goal]))
  const found = data?.site?.events
  return (
    <div className="stack">
      <h1>{words.screens.events}</h1>
      <div className="row">
        <SearchField label={words.search} />
      </div>
      <Problems problems={[...problems, ...refused]} />
      {found && <RowCount shown={found.nodes.length} all={found.totalCount} />}
      {found && found.nodes.length > 0 && (
        <Table
          label={words.screens.events}
          columns={[
            texts(words.event),
            numbers(words.times),
            texts(words.firstSeen),
            texts(words.lastSeen),
            texts(words.hasValue),
            texts(words.goal),
          ]}
        >
          {found.nodes.map((event) => {
            const goal = goals.get(event.name)
            return (
              <tr key={event.id}>
                <th scope="row">
                  <bdi>{event.name}</bdi>
                </th>
                <td className="number">{count(event.count)}</td>
                <td>
                  <Moment at={event.firstSeen} />
                </td>
                <td>
                  <Moment at={event.lastSeen} />
                </td>
                <td>{event.hasValue ? words.yes : words.no}</td>
                <td>
                  {goal ? (
                    <ViewLink to={{ screen: 'goals', search: goal.key, panel: null }}>
                      <bdi>{goal.name}</bdi>
                    </ViewLink>
                  ) : (
                    mayEdit && (
                      <button
                        type="button"
                        disabled={busy}
                        aria-label={words.named(words.makeGoal, event.name)}
                        onClick={() =>
                          change(createGoal, { input: { siteId: site.id, key: event.name, name: event.name } })
                        }
                      >
                        {words.makeGoal}
                      </button>
                    )
                  )}
                </td>
              </tr>
            )
          })}
        </Table>
      )}
    </div>
  )
}
