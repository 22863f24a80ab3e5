import { type Goal, goalsOf, type Segment, type Site } from '../../api/site'
import type { View } from '../../parts/address'
import { matches } from '../../parts/SearchField'
import { shownSegments } from '../../parts/segments'

// More of them the graph gives in one answer to nobody.
const mostCells = 2_000
const mostGoals = 500
const mostSegments = 100

/** What the table of a view has. */
export interface Table {
  readonly view: View
  /** The rows of this page. */
  readonly goals: readonly Goal[]
  /** The columns, and how many more than they were chosen. */
  readonly segments: readonly Segment[]
  readonly segmentsLeft: number
  /** Which goals are followed; null for all that are not archived: what fits is followed as a whole, so that a search asks nothing. */
  readonly followed: readonly Goal[] | null
  /** Whether the site has any goal that is not archived. */
  readonly hasGoals: boolean
  /** The page, from 1, the most goals that one has, and how many goals all pages have. */
  readonly page: number
  readonly perPage: number
  readonly found: number
}

/** The table that a view shows of a site. */
export function tableOf(site: Site, view: View): Table {
  const chosen = shownSegments(site, view)
  const segments = chosen.slice(0, mostSegments)
  const kept = goalsOf(site).filter(({ archived }) => !archived)
  const found = kept.filter(({ name, key, description }) => matches(view.search, name, key, description))
  const isWhole = kept.length <= mostGoals && kept.length * segments.length <= mostCells
  const perPage = isWhole ? mostGoals : Math.min(mostGoals, Math.floor(mostCells / segments.length))
  const page = Math.max(1, Math.min(view.page, Math.ceil(found.length / perPage)))
  const goals = found.slice((page - 1) * perPage, page * perPage)
  return {
    view,
    goals,
    segments,
    segmentsLeft: chosen.length - segments.length,
    followed: isWhole ? null : goals,
    hasGoals: kept.length > 0,
    page,
    perPage,
    found: found.length,
  }
}
