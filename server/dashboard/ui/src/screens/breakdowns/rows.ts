import type { ResultOf } from 'gql.tada'
import { graphql } from '../../api/graphql'

export const followBreakdown = graphql(`
  subscription FollowBreakdown(
    $siteId: ID!
    $by: [Dimension!]!
    $keys: [String!]
    $segments: [ID!]
    $filters: [FilterInput!]
    $goals: [ID!]
    $range: TimeRange!
    $compare: Comparison
    $orderBy: BreakdownOrder
    $first: Int
  ) {
    breakdown(
      siteId: $siteId
      by: $by
      keys: $keys
      segments: $segments
      filters: $filters
      goals: $goals
      range: $range
      compare: $compare
      orderBy: $orderBy
      first: $first
    ) {
      totalCount
      pageInfo { hasNextPage }
      nodes {
        id
        values
        sessions
        visitors
        bounceRate
        medianDurationSeconds
        comparison { sessionsChange }
        goals {
          goal { id }
          conversions
          conversionRate
          comparison { rateDifference { difference significant } }
        }
      }
    }
  }
`)

export type Row = ResultOf<typeof followBreakdown>['breakdown']['nodes'][number]

/** What sessions are grouped by. */
export type Dimension = ReturnType<typeof graphql.scalar<'Dimension'>>

/** The dimensions as a menu shows them. */
export const dimensionGroups = {
  pages: ['PAGE', 'ENTRY_PAGE', 'EXIT_PAGE', 'HOSTNAME'],
  sources: ['REFERRER', 'UTM_SOURCE', 'UTM_MEDIUM', 'UTM_CAMPAIGN', 'UTM_TERM', 'UTM_CONTENT'],
  places: ['COUNTRY', 'REGION', 'CITY', 'LANGUAGE'],
  devices: ['DEVICE', 'BROWSER', 'OS'],
  behaviour: ['EVENT', 'TAG', 'VISITOR_KIND', 'PROPERTY', 'VARIANT'],
  time: ['HOUR', 'WEEKDAY'],
} as const satisfies Record<string, readonly Dimension[]>

const dimensions: readonly Dimension[] = Object.values(dimensionGroups).flat()

/** The dimension that a view names, and the key of PROPERTY and VARIANT: PROPERTY:plan. */
export function readBy(by: string): { dimension: Dimension; key: string } {
  const [name = '', ...rest] = by.split(':')
  return { dimension: dimensions.find((dimension) => dimension === name) ?? 'PAGE', key: rest.join(':') }
}

/** Whether a dimension needs a key. */
export const isKeyed = (dimension: Dimension) => dimension === 'PROPERTY' || dimension === 'VARIANT'

/** The figures by which a column orders the rows. */
export const figures = ['VALUES', 'SESSIONS', 'VISITORS', 'BOUNCE_RATE', 'MEDIAN_DURATION', 'CONVERSION_RATE'] as const
export type Figure = (typeof figures)[number]

/** An order of rows. */
export interface Order {
  readonly by: Figure
  /** The goal of CONVERSION_RATE. */
  readonly goal: string | null
  readonly direction: 'ASCENDING' | 'DESCENDING'
}

/** Reads a view's order: CONVERSION_RATE:R29hbDox, or up.VALUES for the least first. An order by a goal without column is none. */
export function readOrder(text: string, goals: readonly string[]): Order {
  const up = text.startsWith('up.')
  const [name = '', goal = null] = text.slice(up ? 3 : 0).split(':')
  const by = figures.find((figure) => figure === name)
  const isGoal = by === 'CONVERSION_RATE'
  if (!by || isGoal !== (goal !== null) || (goal !== null && !goals.includes(goal))) {
    return { by: 'SESSIONS', goal: null, direction: 'DESCENDING' }
  }
  return { by, goal, direction: up ? 'ASCENDING' : 'DESCENDING' }
}

/** Writes an order, the default one as nothing. */
export function writeOrder({ by, goal, direction }: Order): string {
  const text = (direction === 'ASCENDING' ? 'up.' : '') + by + (goal === null ? '' : `:${goal}`)
  return text === 'SESSIONS' ? '' : text
}
