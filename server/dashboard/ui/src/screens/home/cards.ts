import type { ResultOf } from 'gql.tada'
import { graphql } from '../../api/graphql'

/** The cells of the table, live. What segments and goals are called is known already. */
export const followCards = graphql(`
  subscription FollowCards(
    $siteId: ID!
    $segments: [ID!]
    $goals: [ID!]
    $range: TimeRange!
    $compare: Comparison
    $interval: Interval!
  ) {
    goalCards(siteId: $siteId, segments: $segments, goals: $goals, range: $range, compare: $compare) {
      goal { id }
      computedAt
      cells {
        segment { id }
        sessions
        conversions
        conversionRate
        comparison {
          conversionRate
          rateDifference { difference significant }
        }
        series(interval: $interval) { conversionRate }
      }
    }
  }
`)

export type Card = ResultOf<typeof followCards>['goalCards'][number]
export type Cell = Card['cells'][number]
