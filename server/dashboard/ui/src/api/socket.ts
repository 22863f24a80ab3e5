import { createClient } from 'graphql-ws'
import { goToLogin } from './login'

/** Whether the server is reached. Until the first connection it is `connecting`. */
export type Connection = 'connecting' | 'connected' | 'lost'

/** The close code of a server that has forbidden what the connection's principal did. */
const forbidden = 4403

const pingEvery = 10_000
const pongWithin = 4_000

let connection: Connection = 'connecting'
const listeners = new Set<() => void>()

function become(next: Connection) {
  if (next === connection) return
  connection = next
  for (const listener of listeners) listener()
}

/** The connection as it is. */
export const currentConnection = () => connection

/** Calls the listener at each change of the connection, until the returned function is called. */
export function onConnection(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

let pong: ReturnType<typeof setTimeout> | undefined

/** The one WebSocket of the page. It opens with the first subscription, and opens again whenever it was lost. */
export const socket = createClient({
  url: () => `${window.location.origin.replace(/^http/, 'ws')}/graphql`,
  keepAlive: pingEvery,
  lazyCloseTimeout: 3_000,
  retryAttempts: Number.POSITIVE_INFINITY,
  shouldRetry: (event) => !(event instanceof CloseEvent && event.code === forbidden),
  // Soon at first, and never long: people wait for the page. Chance keeps many pages from coming at once.
  retryWait: (retries) =>
    new Promise((resolve) => setTimeout(resolve, Math.min(1_500, 200 * 2 ** retries) * (0.5 + Math.random() / 2))),
  on: {
    connected: () => become('connected'),
    closed: (event) => {
      clearTimeout(pong)
      if (event instanceof CloseEvent && event.code === forbidden) goToLogin()
      // 1000 is our own, once nothing is followed any longer.
      if (!(event instanceof CloseEvent && event.code === 1000)) become('lost')
    },
    // A cable that is pulled closes no socket: only a missing answer tells.
    ping: (received) => {
      if (!received) pong = setTimeout(() => socket.terminate(), pongWithin)
    },
    pong: (received) => {
      if (received) clearTimeout(pong)
    },
  },
})
