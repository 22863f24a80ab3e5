import type { ResultOf } from 'gql.tada'
import { useEffect, useMemo, useState } from 'react'
import { useClient } from 'urql'
import { graphql } from './graphql'

const segmentFields = graphql(`
  fragment SegmentFields on Segment {
    id
    name
    active
    updatedAt
    filters { label inputs }
  }
`)

const goalFields = graphql(`
  fragment GoalFields on Goal {
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
`)

/**
 * What the dashboard shows of a site everywhere: its segments and goals, of each the first 500. Mutations and
 * `definitionsChanged` bring the same.
 */
export const siteFields = graphql(
  `
    fragment SiteFields on Site {
      id
      name
      domains
      timezone
      segments(first: 500) {
        totalCount
        pageInfo { endCursor }
        nodes { ...SegmentFields }
      }
      goals(archived: null, first: 500) {
        totalCount
        pageInfo { endCursor }
        nodes { ...GoalFields }
      }
    }
  `,
  [segmentFields, goalFields],
)

const moreSegments = graphql(
  `
    query MoreSegments($siteId: ID!, $after: String) {
      site(id: $siteId) {
        id
        segments(first: 500, after: $after) {
          totalCount
          pageInfo { endCursor }
          nodes { ...SegmentFields }
        }
      }
    }
  `,
  [segmentFields],
)

const moreGoals = graphql(
  `
    query MoreGoals($siteId: ID!, $after: String) {
      site(id: $siteId) {
        id
        goals(archived: null, first: 500, after: $after) {
          totalCount
          pageInfo { endCursor }
          nodes { ...GoalFields }
        }
      }
    }
  `,
  [goalFields],
)

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

const mostPages = 20

interface Page<Node> {
  readonly totalCount: number
  readonly pageInfo: { readonly endCursor: string | null }
  readonly nodes: readonly Node[]
}

/** The nodes of the pages that follow a first one, up to the last or one that cannot be had. */
export async function following<Node>(
  first: Page<Node> | null,
  next: (after: string | null) => Promise<Page<Node> | null | undefined>,
): Promise<Node[]> {
  const nodes: Node[] = []
  let page = first
  for (let n = 1; page && first && first.nodes.length + nodes.length < page.totalCount && n < mostPages; n++) {
    page = (await next(page.pageInfo.endCursor)) ?? null
    if (!page || page.nodes.length === 0) break
    nodes.push(...page.nodes)
  }
  return nodes
}

/** Nodes and those that follow, each once, while either are older. */
function joined<Node extends { readonly id: string }>(nodes: readonly Node[], more: readonly Node[]): Node[] {
  const ids = new Set(nodes.map(({ id }) => id))
  return [...nodes, ...more.filter(({ id }) => !ids.has(id))]
}

/** The site with all of its segments and goals, up to 10,000 of each, once their pages are there. */
export function useWhole(site: Site | null): Site | null {
  const client = useClient()
  const [rest, setRest] = useState<{ id: string; segments: readonly Segment[]; goals: readonly Goal[] } | null>(null)
  useEffect(() => {
    if (!site) return
    let left = false
    const asked = { requestPolicy: 'network-only' } as const
    const segments = following(site.segments, async (after) => {
      const { data } = await client.query(moreSegments, { siteId: site.id, after }, asked).toPromise()
      return data?.site?.segments
    })
    const goals = following(site.goals, async (after) => {
      const { data } = await client.query(moreGoals, { siteId: site.id, after }, asked).toPromise()
      return data?.site?.goals
    })
    Promise.all([segments, goals]).then(([segments, goals]) => {
      if (!left)
        setRest((former) =>
          former || segments.length > 0 || goals.length > 0 ? { id: site.id, segments, goals } : null,
        )
    })
    return () => {
      left = true
    }
  }, [client, site])
  return useMemo(() => {
    if (!site || rest?.id !== site.id) return site
    return {
      ...site,
      segments: site.segments && { ...site.segments, nodes: joined(site.segments.nodes, rest.segments) },
      goals: site.goals && { ...site.goals, nodes: joined(site.goals.nodes, rest.goals) },
    }
  }, [site, rest])
}
