import { useAsk } from '../api/ask'
import { type FilterInput, graphql } from '../api/graphql'
import { Problems } from './Problems'
import { useGo, useSite, useView, ViewLink } from './view'
import { words } from './words'

const askLabel = graphql(`
  query FilterLabel($siteId: ID!, $filters: [FilterInput!]!) {
    site(id: $siteId) {
      id
      merge(active: $filters, goal: []) { label }
    }
  }
`)

/** The view's filters, each with a button that drops it. They can become a segment. */
export function FilterChips() {
  const { mayEdit } = useSite()
  const { filters } = useView()
  if (filters.length === 0) return null
  return (
    <ul className="row" aria-label={words.filters}>
      {filters.map((filter, i) => (
        <li key={JSON.stringify(filter)}>
          <Chip filter={filter} others={filters.filter((_, n) => n !== i)} />
        </li>
      ))}
      {mayEdit && (
        <li>
          <ViewLink className="button" to={{ panel: { kind: 'segment', id: null } }}>
            {words.saveAsSegment}
          </ViewLink>
        </li>
      )}
    </ul>
  )
}

function Chip({ filter, others }: { filter: FilterInput; others: readonly FilterInput[] }) {
  const { site } = useSite()
  const go = useGo()
  const { data, problems } = useAsk(askLabel, { siteId: site.id, filters: [filter] })
  const label = data?.site?.merge?.label ?? JSON.stringify(filter)
  return (
    <>
      <button type="button" aria-label={words.remove(label)} onClick={() => go({ filters: others })}>
        <bdi>{label}</bdi> <span aria-hidden="true">×</span>
      </button>
      <Problems problems={problems} />
    </>
  )
}
