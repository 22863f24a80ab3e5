import { Client, fetchExchange, mapExchange, subscriptionExchange } from '@urql/core'
import { cacheExchange } from '@urql/exchange-graphcache'
import { goToLogin } from './login'
import { isStranger, problemsIn } from './problem'
import { socket } from './socket'

type Embedded = { id?: unknown }

// An object with an id is one and the same wherever it stands. All others belong to the object that they stand in.
const keys = new Proxy({}, { get: () => (data: Embedded) => (typeof data.id === 'string' ? data.id : null) })

/** Asks the server. Objects are kept by their ids, so that what a mutation or a subscription changes is changed everywhere. */
export const client = new Client({
  url: '/graphql',
  preferGetMethod: false,
  requestPolicy: 'cache-and-network',
  exchanges: [
    mapExchange({
      onError: (error) => {
        if (isStranger(problemsIn(error))) goToLogin()
      },
    }),
    cacheExchange({ keys }),
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink) }),
      }),
    }),
  ],
})
