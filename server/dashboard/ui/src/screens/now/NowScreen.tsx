import type { ResultOf } from 'gql.tada'
import { graphql } from '../../api/graphql'
import { useLive } from '../../api/live'
import { Bar } from '../../parts/Bar'
import { Figures } from '../../parts/Figures'
import { FilterChips } from '../../parts/FilterChips'
import { count, timeOfDay } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { numbers, Table, texts } from '../../parts/Table'
import { useSite, useView } from '../../parts/view'
import { useWithin, WithinSelect } from '../../parts/WithinSelect'
import { words } from '../../parts/words'

const followNow = graphql(`
  subscription FollowNow($siteId: ID!, $segments: [ID!], $filters: [FilterInput!]) {
    now(siteId: $siteId, segments: $segments, filters: $filters) {
      computedAt
      last5Minutes { visitors }
      last30Minutes {
        visitors
        pages(first: 50) { path visitors }
      }
    }
  }
`)

type ActivePage = NonNullable<ResultOf<typeof followNow>['now']['last30Minutes']['pages']>[number]

/** Who is on the site, and on which pages. */
export default function NowScreen() {
  const { site } = useSite()
  const { filters } = useView()
  const within = useWithin()
  const { data, problems } = useLive(followNow, {
    siteId: site.id,
    segments: within ? [within.id] : [],
    filters: [...filters],
  })
  const now = data?.now
  return (
    <div className="stack">
      <h1>{words.screens.now}</h1>
      <div className="row">
        <WithinSelect />
        {now && <span className="faint">{words.computedAt(timeOfDay(now.computedAt, site.timezone))}</span>}
      </div>
      <FilterChips />
      <Problems problems={problems} />
      {now && (
        <Figures
          figures={[
            [words.last5Minutes, count(now.last5Minutes.visitors)],
            [words.last30Minutes, count(now.last30Minutes.visitors)],
          ]}
        />
      )}
      {now?.last30Minutes.pages &&
        (now.last30Minutes.pages.length === 0 ? (
          <p>{words.nobody}</p>
        ) : (
          <Pages pages={now.last30Minutes.pages} of={now.last30Minutes.visitors} />
        ))}
    </div>
  )
}

function Pages({ pages, of }: { pages: readonly ActivePage[]; of: number | null }) {
  return (
    <Table label={words.pagesNow} columns={[texts(words.page), numbers(words.visitors)]}>
      {pages.map(({ path, visitors }) => (
        <tr key={path}>
          <th scope="row">
            <bdi>{path}</bdi>
            <Bar share={of === null || of === 0 ? null : visitors / of} />
          </th>
          <td className="number">{count(visitors)}</td>
        </tr>
      ))}
    </Table>
  )
}
