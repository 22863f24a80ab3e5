import type { CombinedError } from '@urql/core'

/** What went wrong with a question. */
export interface Problem {
  /** The server's code, or NOT_CONNECTED where it was not reached. */
  readonly code: string
  /** What the server says; empty where it was not reached. */
  readonly message: string
  /** The path of the input that is at fault, for example input.filters[0].country.is; empty if there is none. */
  readonly field: string
}

interface ServerError {
  readonly message: string
  readonly extensions?: { readonly [name: string]: unknown }
}

/** The problems that a server's errors tell. */
export function problemsOf(errors: readonly ServerError[]): Problem[] {
  return errors.map(({ message, extensions }) => ({
    code: String(extensions?.code ?? 'INTERNAL'),
    message,
    field: String(extensions?.field ?? ''),
  }))
}

/** The problems of an answer; empty if all is well. */
export function problemsIn(error: CombinedError | undefined): Problem[] {
  if (!error) return []
  if (error.graphQLErrors.length > 0) return problemsOf(error.graphQLErrors)
  return [{ code: 'NOT_CONNECTED', message: '', field: '' }]
}

/** Whether problems say that nobody is logged in. */
export const isStranger = (problems: readonly Problem[]) => problems.some(({ code }) => code === 'UNAUTHENTICATED')
