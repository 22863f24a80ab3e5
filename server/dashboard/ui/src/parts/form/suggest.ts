import { useEffect, useState } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { count } from '../format'
import { useRange, useSite } from '../view'
import { words } from '../words'
import type { Option } from './Combobox'
import { asObject, asText, type Draft } from './draft'
import type { FilterType } from './shape'

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

/** The filter that a control is part of. */
export interface FilterOf {
  readonly type: string
  /** The path of its input: filters[0].country. */
  readonly path: string
  readonly draft: Draft | undefined
}

/** What completes a control's values, as the filter type says of the argument. */
interface Source {
  readonly suggest: FilterType['arguments'][number]['suggest']
  readonly filterType: string
  /** The key of the values; null for a type that has none, undefined while the form lacks it. */
  readonly key: string | null | undefined
}

/** What completes the control at a path; null if nothing does. */
export function sourceOf(filterTypes: readonly FilterType[], filter: FilterOf | null, path: string): Source | null {
  const type = filter && filterTypes.find(({ name }) => name === filter.type)
  const argument = type?.arguments.find((argument) => `${filter?.path}.${argument.path}` === path)
  if (!filter || !argument || argument.suggest === null) return null
  // The protocol of the graph: keys of properties are the values of this type without a key.
  if (argument.suggest === 'PROPERTIES') return { suggest: 'VALUES', filterType: 'property', key: null }
  const at = argument.valuesKeyPath?.split('.')
  const key = at
    ? asText(at.reduce<Draft | undefined>((draft, name) => asObject(draft)[name], filter.draft)) || undefined
    : argument.valuesKey
  return { suggest: argument.suggest, filterType: filter.type, key }
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
