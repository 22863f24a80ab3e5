import type { ResultOf } from 'gql.tada'
import { graphql } from './graphql'

/** The most definitions of a kind that the graph gives in one page. */
export const mostDefinitions = 500

/** What the dashboard shows of a site everywhere: its segments and goals. Mutations and `definitionsChanged` bring the same. */
export const siteFields = graphql(`
  fragment SiteFields on Site {
    id
    name
    domains
    timezone
    segments(first: 500) {
      totalCount
      nodes {
        id
        name
        active
        updatedAt
        filters { label inputs }
      }
    }
    goals(archived: null, first: 500) {
      totalCount
      nodes {
        id
        key
        name
        description
        valueEvent
        direction
        archived
        updatedAt
        filters { label inputs }
        experiments { id name }
      }
    }
  }
`)

export const openSite = graphql(
  `
    query OpenSite($domain: String, $id: ID, $chosen: Boolean!) {
      viewer {
        name
        kind
        grants { siteId scope }
      }
      sites { id name domains }
      site(domain: $domain, id: $id) @include(if: $chosen) {
        ...SiteFields
        newest: sessions(range: { from: "1990-01-01T00:00:00Z" }, first: 1) {
          nodes { id startedAt }
        }
      }
    }
  `,
  [siteFields],
)

export const followSite = graphql(
  `
    subscription FollowSite($siteId: ID!) {
      definitionsChanged(siteId: $siteId) {
        revision
        site { ...SiteFields }
      }
    }
  `,
  [siteFields],
)

export type Site = ResultOf<typeof siteFields>
export type Segment = NonNullable<Site['segments']>['nodes'][number]
export type Goal = NonNullable<Site['goals']>['nodes'][number]

/** The segments of a site, oldest first. */
export const segmentsOf = (site: Site): readonly Segment[] => site.segments?.nodes ?? []
/** The goals of a site, archived ones included, oldest first. */
export const goalsOf = (site: Site): readonly Goal[] => site.goals?.nodes ?? []
