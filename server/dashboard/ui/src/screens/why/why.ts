import type { ResultOf } from 'gql.tada'
import { graphql } from '../../api/graphql'
import { sessionFields } from '../../parts/SessionTable'

export const followWhy = graphql(`
  subscription FollowWhy($siteId: ID!, $segment: ID!, $goal: ID!, $range: TimeRange!, $interval: Interval!) {
    goalCards(siteId: $siteId, segments: [$segment], goals: [$goal], range: $range) {
      goal { id }
      computedAt
      cells {
        segment { id }
        sessions
        visitors
        conversions
        conversionRate
        valueTotal
        valuePerVisitor
        merged {
          empty
          filters {
            rule
            empty
            filter { label inputs type { name title } }
            active { label type { name title } }
            goal { label type { name title } }
          }
        }
        series(interval: $interval) { at sessions conversions conversionRate }
      }
    }
  }
`)

export const mergedSessions = graphql(
  `
    query MergedSessions($siteId: ID!, $filters: [FilterInput!]!, $range: TimeRange!, $first: Int!) {
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

export type Why = ResultOf<typeof followWhy>['goalCards'][number]['cells'][number]
export type Merged = NonNullable<Why['merged']>
