import { useEffect, useMemo, useRef } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { useLive } from '../../api/live'
import type { Problem } from '../../api/problem'
import { askShapes, type FilterType, type Shapes, shapesOf, typesIn } from './shape'

const followSchema = graphql(`subscription FollowSchema { schemaChanged { version } }`)

/** The input types and filter types of the served schema, which follow plugins that come and go. Null until they are known. */
export function useShapes(): {
  shapes: Shapes | null
  filterTypes: readonly FilterType[]
  problems: readonly Problem[]
} {
  const { data, problems, again } = useAsk(askShapes, {})
  const { data: schema } = useLive(followSchema, {})
  const version = schema?.schemaChanged.version
  const asked = useRef(version)
  useEffect(() => {
    if (asked.current !== undefined && asked.current !== version) again()
    asked.current = version
  }, [version, again])
  return {
    shapes: useMemo(() => (data ? shapesOf(typesIn(data)) : null), [data]),
    filterTypes: data?.filterTypes ?? [],
    problems,
  }
}
