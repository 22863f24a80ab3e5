// Relay, with the artifacts of its compiler. A build with babel-plugin-relay puts each of them in the place of its text.
import relay from 'relay-runtime'
import createGoal from './__generated__/relayOperationsCreateMutation.graphql.js'
import followGoals from './__generated__/relayOperationsFollowSubscription.graphql.js'
import goalsQuery from './__generated__/relayOperationsQuery.graphql.js'
import renameGoal from './__generated__/relayOperationsRenameMutation.graphql.js'
import { environment, stop } from './relay.js'

const { commitMutation, createOperationDescriptor, fetchQuery, getRequest, requestSubscription } = relay

export function watch(site, tell) {
  const operation = createOperationDescriptor(getRequest(goalsQuery), { site })
  environment.retain(operation)
  fetchQuery(environment, goalsQuery, { site }).subscribe({
    next() {
      const snapshot = environment.lookup(operation.fragment)
      const told = ({ data }) => tell(data.site.goals.nodes)
      told(snapshot)
      environment.subscribe(snapshot, told)
    },
  })
}

const commit = (mutation, variables) => new Promise((resolve, reject) => commitMutation(environment, {
  mutation, variables, onError: reject,
  onCompleted: (data, errors) => (errors?.length ? reject(new Error(errors[0].message)) : resolve(data)),
}))

export const create = async (input) => (await commit(createGoal, { input })).createGoal.goal.id
export const rename = (id, name) => commit(renameGoal, { id, name })

// follow resolves with the first message, from which on nothing is missed.
export const follow = (site) => new Promise((resolve, reject) => {
  const subscription = requestSubscription(environment, {
    subscription: followGoals, variables: { site }, onNext: () => resolve(() => subscription.dispose()), onError: reject,
  })
})

export { stop }
