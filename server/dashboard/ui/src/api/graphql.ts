import { initGraphQLTada } from 'gql.tada'
import type { introspection } from './generated/graphql-env'

/**
 * A filter: one filter type with its arguments. Which types there are is for the served schema to say, at run time, and so the
 * compiler knows none of their names.
 */
export type FilterInput = { readonly [type: string]: unknown }

/** Makes a typed document of a text in GraphQL. */
export const graphql = initGraphQLTada<{
  introspection: introspection
  disableMasking: true
  scalars: { Time: string; Date: string; Duration: string; JSON: unknown; FilterInput: FilterInput }
}>()
