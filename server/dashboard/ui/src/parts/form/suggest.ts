import { useEffect, useState } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { count } from '../format'
import { useRange, useSite } from '../view'
import { words } from '../words'
import type { Option } from './Combobox'
import type { Source } from './source'

const askSuggestions = graphql(`
  query Suggestions(
    $siteId: ID!
    $filterType: String!
    $key: String
    $search: String!
    $range: TimeRange!
    $values: Boolean!
    $events: Boolean!
    $experiments: Boolean!
  ) {
    site(id: $siteId) {
      id
      values(filterType: $filterType, key: $key, search: $search, range: $range, first: 20) @include(if: $values) {
        value
        sessions
      }
      events(search: $search, first: 20) @include(if: $events) { nodes { id name } }
      experiments(search: $search, first: 20) @include(if: $experiments) { nodes { id key name } }
    }
  }
`)

const pause = 150

/** A value that follows another once that has been at rest. */
export function useRest<T>(value: T, milliseconds: number): T {
  const [rest, setRest] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setRest(value), milliseconds)
    return () => clearTimeout(timer)
  }, [value, milliseconds])
  return rest
}

/** What completes a text, once somebody wants it. */
export function useSuggestions(source: Source | null, search: string, wanted: boolean): readonly Option[] {
  const { site } = useSite()
  const range = useRange()
  const text = useRest(search, pause)
  const { suggest = null, filterType = '', key } = source ?? {}
  const asks =
    wanted && (suggest === 'EVENTS' || suggest === 'EXPERIMENTS' || (suggest === 'VALUES' && key !== undefined))
  const { data } = useAsk(
    askSuggestions,
    {
      siteId: site.id,
      filterType,
      key: key ?? null,
      search: text,
      range,
      values: suggest === 'VALUES',
      events: suggest === 'EVENTS',
      experiments: suggest === 'EXPERIMENTS',
    },
    !asks,
  )
  if (!asks) return []
  return [
    ...(data?.site?.values ?? []).map(({ value, sessions }) => ({
      value,
      text: value,
      detail: words.sessionsWith(count(sessions)),
    })),
    ...(data?.site?.events?.nodes ?? []).map(({ name }) => ({ value: name, text: name, detail: '' })),
    ...(data?.site?.experiments?.nodes ?? []).map(({ key, name }) => ({ value: key, text: key, detail: name })),
  ]
}
