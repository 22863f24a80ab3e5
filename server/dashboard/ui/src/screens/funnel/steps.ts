import type { ResultOf } from 'gql.tada'
import { graphql } from '../../api/graphql'

export const followFunnel = graphql(`
  subscription FollowFunnel(
    $siteId: ID!
    $steps: [ID!]!
    $segments: [ID!]
    $range: TimeRange!
    $compare: Comparison
  ) {
    funnel(siteId: $siteId, steps: $steps, segments: $segments, range: $range, compare: $compare) {
      segments {
        segment { id sessionCount(range: $range) }
        steps {
          goal { id }
          sessions
          fromPrevious
          fromStart
          comparison {
            fromStart
            fromStartDifference { difference significant }
          }
        }
      }
    }
  }
`)

export type FunnelSegment = ResultOf<typeof followFunnel>['funnel']['segments'][number]
export type Step = FunnelSegment['steps'][number]

/** How many of the sessions before a step did not come through it; null where either is not known. */
export function lostAt(of: FunnelSegment, step: number): number | null {
  const before = step === 0 ? of.segment.sessionCount : (of.steps[step - 1]?.sessions ?? null)
  const after = of.steps[step]?.sessions ?? null
  return before === null || after === null ? null : before - after
}
