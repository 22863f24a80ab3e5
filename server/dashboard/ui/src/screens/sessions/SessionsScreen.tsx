import { useState } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { FilterChips } from '../../parts/FilterChips'
import { More } from '../../parts/More'
import { Problems } from '../../parts/Problems'
import { RangePicker } from '../../parts/RangePicker'
import { RowCount } from '../../parts/RowCount'
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
      {found && <RowCount shown={found.nodes.length} all={found.totalCount} />}
      {found &&
        (found.nodes.length === 0 ? (
          <p>{words.noSuchSessions}</p>
        ) : (
          <SessionTable sessions={found.nodes} label={words.screens.sessions} />
        ))}
      <More
        left={found?.pageInfo.hasNextPage === true && first < mostSessions}
        onMore={() => setFirst(Math.min(mostSessions, first * 3))}
      />
    </div>
  )
}
