import type { AnyVariables, TypedDocumentNode } from '@urql/core'
import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react'
import { useQuery } from 'urql'
import { type Problem, problemsIn } from './problem'
import { type Connection, currentConnection, onConnection } from './socket'

/** The connection, followed. */
export const useConnection = (): Connection => useSyncExternalStore(onConnection, currentConnection)

/** What is known of an answer. */
export interface Answer<Data> {
  /** The newest data; while another question is under way, that of the one before. */
  readonly data: Data | undefined
  readonly problems: readonly Problem[]
  /** Whether the data is that of another question, or another answer is under way. */
  readonly stale: boolean
}

/** An answer to a question that can be asked again. */
export interface Asked<Data> extends Answer<Data> {
  readonly again: () => void
}

/** Asks a question, and asks it again once a lost connection is back. */
export function useAsk<Data, Variables extends AnyVariables>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  pause = false,
): Asked<Data> {
  const [result, again] = useQuery<Data, Variables>({ query, variables, pause } as Parameters<
    typeof useQuery<Data, Variables>
  >[0])
  const connection = useConnection()
  const before = useRef(connection)
  useEffect(() => {
    if (before.current === 'lost' && connection === 'connected' && !pause) again({ requestPolicy: 'network-only' })
    before.current = connection
  }, [connection, again, pause])
  const askAgain = useCallback(() => again({ requestPolicy: 'network-only' }), [again])
  return {
    again: askAgain,
    data: result.data,
    problems: problemsIn(result.error),
    stale: result.fetching || result.stale,
  }
}
