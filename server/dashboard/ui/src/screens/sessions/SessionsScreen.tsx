import { useState } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { FilterChips } from '../../parts/FilterChips'
import { count } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { RangePicker } from '../../parts/RangePicker'
import { SessionTable, sessionFields } from '../../parts/SessionTable'
import { useRange, useSite, useView } from '../../parts/view'
import { inputsOf, useWithin, WithinSelect } from '../../parts/WithinSelect'
import { words } from '../../parts/words'

const askSessions = graphql(
  `
    query Sessions($siteId: ID!, $filters: [FilterInput!]!, $range: TimeRange!, $first: Int!) {
      site(id: $siteId) {
        id
        sessions(filters: $filters, range: $range, first: $first) {
          totalCount
          nodes { ...SessionFields }
          pageInfo { hasNextPage }
        }
      }
    }
  `,
  [sessionFields],
)

const page = 50
const mostSessions = 500

/** What visitors did, the newest session first. */
export default function SessionsScreen() {
  const { site } = useSite()
  const view = useView()
  const range = useRange()
  const [first, setFirst] = useState(page)
  const filters = [...inputsOf(useWithin()), ...view.filters]
  const { data, problems } = useAsk(askSessions, { siteId: site.id, filters, range, first })
  const found = data?.site?.sessions
  return (
    <div className="stack">
      <h1>{words.screens.sessions}</h1>
      <div className="row">
        <WithinSelect />
        <RangePicker compare={false} />
      </div>
      <FilterChips />
      <Problems problems={problems} />
      {found && (
        <p role="status" className="faint">
          {words.rowsOf(count(found.nodes.length), count(found.totalCount))}
        </p>
      )}
      {found &&
        (found.nodes.length === 0 ? (
          <p>{words.noSuchSessions}</p>
        ) : (
          <SessionTable sessions={found.nodes} label={words.screens.sessions} />
        ))}
      {found?.pageInfo.hasNextPage && first < mostSessions && (
        <p>
          <button type="button" onClick={() => setFirst(Math.min(mostSessions, first * 3))}>
            {words.more}
          </button>
        </p>
      )}
    </div>
  )
}
