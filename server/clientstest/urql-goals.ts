// urql with its normalised cache, with the documents and types of gql.tada.
import type { VariablesOf } from 'gql.tada'
import { graphql } from './tada.js'
import { client, stop } from './urql.js'

const goalsQuery = graphql(`
  query UrqlGoals($site: ID!) { site(id: $site) { id goals { totalCount nodes { id key name } } } }
`)
const createGoal = graphql(`
  mutation UrqlCreateGoal($input: CreateGoalInput!) {
    createGoal(input: $input) { goal { id } site { id goals { totalCount nodes { id key name } } } }
  }
`)
const renameGoal = graphql(`
  mutation UrqlRenameGoal($id: ID!, $name: String!) { updateGoal(input: { id: $id, name: $name }) { goal { id name } } }
`)
const followGoals = graphql(`
  subscription UrqlFollowGoals($site: ID!) {
    definitionsChanged(siteId: $site) { site { id goals { totalCount nodes { id key name } } } }
  }
`)

const cardsQuery = graphql(`
  query UrqlCards($site: ID!) {
    site(id: $site) { id goalCards(range: { name: LAST_7_DAYS }) { id cells { id sessions } } }
  }
`)

const followCardsSubscription = graphql(`
  subscription UrqlFollowCards($site: ID!) {
    goalCards(siteId: $site, range: { name: LAST_7_DAYS }) { id cells { id sessions } }
  }
`)

type Goal = { id: string; key: string; name: string }
type Cell = { id: string; sessions?: number | null }

export function watch(site: string, tell: (goals: Goal[]) => void) {
  client.query(goalsQuery, { site }).subscribe(({ data }) => {
    if (data) tell(data.site?.goals?.nodes ?? [])
  })
}

export function watchCards(site: string, tell: (cells: Cell[]) => void) {
  client.query(cardsQuery, { site }).subscribe(({ data }) => {
    if (data) tell(data.site?.goalCards?.flatMap(({ cells }) => cells) ?? [])
  })
}

export async function create(input: VariablesOf<typeof createGoal>['input']) {
  const { data, error } = await client.mutation(createGoal, { input })
  if (error) throw error
  return data?.createGoal?.goal.id
}

export async function rename(id: string, name: string) {
  const { error } = await client.mutation(renameGoal, { id, name })
  if (error) throw error
}

// following resolves with the first message, from which on nothing is missed.
const following = (query: typeof followGoals | typeof followCardsSubscription, site: string) => new Promise<() => void>((resolve, reject) => {
  const { unsubscribe } = client.subscription<unknown, { site: string }>(query, { site }).subscribe(({ data, error }) => {
    if (error) reject(error)
    if (data) resolve(() => unsubscribe())
  })
})

export const follow = (site: string) => following(followGoals, site)
export const followCards = (site: string) => following(followCardsSubscription, site)

export { stop }
