import type { AnyVariables, TypedDocumentNode } from '@urql/core'
import { stringifyDocument } from '@urql/core'
import { useEffect, useState } from 'react'
import type { Answer } from './ask'
import { goToLogin } from './login'
import { isStranger, type Problem, problemsOf } from './problem'
import { shared } from './shared'
import { socket } from './socket'

interface State<Data> {
  readonly question: string
  readonly data: Data | undefined
  readonly problems: readonly Problem[]
}

/**
 * Follows a subscription. Each message is a whole answer, which keeps those parts of the former one that have not changed. It does
 * not go through the cache, which would take a large table of cells apart each time. While another question is under way the former
 * answer stays, and is stale; if that question fails, it goes. Held, it is asked once and not followed.
 */
export function useLive<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  pause = false,
  hold = false,
): Answer<Data> {
  const question = JSON.stringify({ query: stringifyDocument(document), variables })
  const [state, setState] = useState<State<Data>>({ question: '', data: undefined, problems: [] })
  const rests = pause || (hold && state.question === question)
  useEffect(() => {
    if (rests) return
    return socket.subscribe<Data>(JSON.parse(question), {
      next: ({ data, errors }) => {
        const problems = problemsOf(errors ?? [])
        if (isStranger(problems)) goToLogin()
        setState((former) => ({
          question,
          data: data ? shared(former.data, data) : former.question === question ? former.data : undefined,
          problems,
        }))
      },
      error: (failure) => {
        const problems = Array.isArray(failure) ? problemsOf(failure) : []
        if (isStranger(problems)) goToLogin()
        setState((former) => ({ question, data: former.question === question ? former.data : undefined, problems }))
      },
      complete: () => {},
    })
  }, [question, rests])
  return { data: state.data, problems: state.problems, stale: state.question !== question }
}
