// Relay, with the artifacts of its compiler. A build with babel-plugin-relay puts each of them in the place of its text.
import relay from 'relay-runtime'
import cardsQuery from './__generated__/relayOperationsCardsQuery.graphql.js'
import createGoal from './__generated__/relayOperationsCreateMutation.graphql.js'
import followCardsSubscription from './__generated__/relayOperationsFollowCardsSubscription.graphql.js'
import followGoals from './__generated__/relayOperationsFollowSubscription.graphql.js'
import goalsQuery from './__generated__/relayOperationsQuery.graphql.js'
import renameGoal from './__generated__/relayOperationsRenameMutation.graphql.js'
import { environment, stop } from './relay.js'

const { commitMutation, createOperationDescriptor, fetchQuery, getRequest, requestSubscription } = relay

function watching(query, site, tell) {
  const operation = createOperationDescriptor(getRequest(query), { site })
  environment.retain(operation)
  fetchQuery(environment, query, { site }).subscribe({
    next() {
      const snapshot = environment.lookup(operation.fragment)
      const told = ({ data }) => tell(data.site)
      told(snapshot)
      environment.subscribe(snapshot, told)
    },
  })
}

export const watch = (site, tell) => watching(goalsQuery, site, ({ goals }) => tell(goals.nodes))
export const watchCards = (site, tell) => watching(cardsQuery, site, ({ goalCards }) => tell(goalCards.flatMap(({ cells }) => cells)))

const commit = (mutation, variables) => new Promise((resolve, reject) => commitMutation(environment, {
  mutation, variables, onError: reject,
  onCompleted: (data, errors) => (errors?.length ? reject(new Error(errors[0].message)) : resolve(data)),
}))

export const create = async (input) => (await commit(createGoal, { input })).createGoal.goal.id
export const rename = (id, name) => commit(renameGoal, { id, name })

// following resolves with the first message, from which on nothing is missed.
const following = (query, site) => new Promise((resolve, reject) => {
  const subscription = requestSubscription(environment, {
    subscription: query, variables: { site }, onNext: () => resolve(() => subscription.dispose()), onError: reject,
  })
})

export const follow = (site) => following(followGoals, site)
export const followCards = (site) => following(followCardsSubscription, site)

export { stop }
