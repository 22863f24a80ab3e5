import { graphql } from '../../api/graphql'

/** The sessions that a draft matches, and what it merges to. */
export const preview = graphql(`
  query Preview($siteId: ID!, $filters: [FilterInput!]!, $active: [FilterInput!]!, $goal: [FilterInput!]!, $range: TimeRange!) {
    site(id: $siteId) {
      id
      sessionCount(filters: $filters, range: $range)
      merge(active: $active, goal: $goal) {
        empty
        filters {
          rule
          empty
          filter { label }
          active { label }
          goal { label }
        }
      }
    }
  }
`)
