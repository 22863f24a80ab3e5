import { useEffect, useMemo } from 'react'
import { useClient } from 'urql'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import type { Problem } from '../../api/problem'
import { askShapes, type FilterType, type Shapes, shapesOf, typesIn } from './shape'

const askPlugins = graphql(`query Plugins { plugins { name version status filterTypes { name } } }`)

const lookEvery = 4_000

/** The input types and filter types of the served schema, which follow plugins that come and go. Null until they are known. */
export function useShapes(): {
  shapes: Shapes | null
  filterTypes: readonly FilterType[]
  problems: readonly Problem[]
} {
  const client = useClient()
  const { data, problems } = useAsk(askShapes, {})
  const { data: plugins } = useAsk(askPlugins, {})
  const loaded = JSON.stringify(plugins?.plugins)
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) client.query(askPlugins, {}, { requestPolicy: 'network-only' }).toPromise()
    }, lookEvery)
    return () => clearInterval(timer)
  }, [client])
  useEffect(() => {
    if (loaded !== undefined) client.query(askShapes, {}, { requestPolicy: 'network-only' }).toPromise()
  }, [client, loaded])
  return {
    shapes: useMemo(() => (data ? shapesOf(typesIn(data)) : null), [data]),
    filterTypes: data?.filterTypes ?? [],
    problems,
  }
}
