import type { AnyVariables, TypedDocumentNode } from '@urql/core'
import { useCallback, useState } from 'react'
import { useClient } from 'urql'
import { type Problem, problemsIn } from './problem'

/**
 * Changes something. While it is under way `busy` is true; what was refused is in `problems` until the next change. A mutation that
 * is refused is null. One that is carried out may answer with less than was asked for, where a plugin is missing: that is no refusal.
 */
export function useChange() {
  const client = useClient()
  const [state, setState] = useState<{ busy: boolean; problems: readonly Problem[] }>({ busy: false, problems: [] })
  const change = useCallback(
    async <Data, Variables extends AnyVariables>(
      mutation: TypedDocumentNode<Data, Variables>,
      variables: Variables,
    ): Promise<Data | null> => {
      setState({ busy: true, problems: [] })
      const { data, error } = await client.mutation(mutation, variables).toPromise()
      const isDone = data != null && Object.values(data).every((payload) => payload !== null)
      setState({ busy: false, problems: isDone ? [] : problemsIn(error) })
      return isDone ? data : null
    },
    [client],
  )
  return { ...state, change }
}
