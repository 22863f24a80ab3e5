// Apollo Client, with the documents and types of graphql-codegen.
import { client, stop as close } from './apollo.js'
import { graphql } from './gql/index.js'
import type { CreateGoalInput } from './gql/graphql.js'

const goalsQuery = graphql(`
  query ApolloGoals($site: ID!) { site(id: $site) { id goals { totalCount nodes { id key name } } } }
`)
const createGoal = graphql(`
  mutation ApolloCreateGoal($input: CreateGoalInput!) {
    createGoal(input: $input) { goal { id } site { id goals { nodes { id key name } } } }
  }
`)
const renameGoal = graphql(`
  mutation ApolloRenameGoal($id: ID!, $name: String!) { updateGoal(input: { id: $id, name: $name }) { goal { id name } } }
`)
const followGoals = graphql(`
  subscription ApolloFollowGoals($site: ID!) {
    definitionsChanged(siteId: $site) { site { id goals { nodes { id key name } } } }
  }
`)

const cardsQuery = graphql(`
  query ApolloCards($site: ID!) {
    site(id: $site) { id goalCards(range: { name: LAST_7_DAYS }) { id cells { id sessions } } }
  }
`)

const followCardsSubscription = graphql(`
  subscription ApolloFollowCards($site: ID!) {
    goalCards(siteId: $site, range: { name: LAST_7_DAYS }) { id cells { id sessions } }
  }
`)

type Goal = { id: string; key: string; name: string }
type Cell = { id: string; sessions?: number | null }

export function watch(site: string, tell: (goals: Goal[]) => void) {
  client.watchQuery({ query: goalsQuery, variables: { site } }).subscribe(({ data, dataState }) => {
    if (dataState === 'complete') tell(data.site?.goals?.nodes ?? [])
  })
}

export function watchCards(site: string, tell: (cells: Cell[]) => void) {
  client.watchQuery({ query: cardsQuery, variables: { site } }).subscribe(({ data, dataState }) => {
    if (dataState === 'complete') tell(data.site?.goalCards?.flatMap(({ cells }) => cells) ?? [])
  })
}

export async function create(input: CreateGoalInput) {
  const { data } = await client.mutate({ mutation: createGoal, variables: { input } })
  return data?.createGoal?.goal.id
}

export async function rename(id: string, name: string) {
  await client.mutate({ mutation: renameGoal, variables: { id, name } })
}

// following resolves with the first message, from which on nothing is missed.
const following = (query: typeof followGoals | typeof followCardsSubscription, site: string) => new Promise<() => void>((resolve, reject) => {
  const subscription = client.subscribe<unknown, { site: string }>({ query, variables: { site } }).subscribe({
    next: () => resolve(() => subscription.unsubscribe()), error: reject,
  })
})

export const follow = (site: string) => following(followGoals, site)
export const followCards = (site: string) => following(followCardsSubscription, site)

export async function stop() {
  client.stop()
  await close()
}
