import { useEffect, useState } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { count } from '../format'
import { useRange, useSite } from '../view'
import { words } from '../words'
import type { Option } from './Combobox'

const valuesOf = graphql(`
  query Values($siteId: ID!, $filterType: String!, $search: String!, $range: TimeRange!) {
    site(id: $siteId) {
      id
      values(filterType: $filterType, search: $search, range: $range, first: 20) { value sessions }
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

/** The values that sessions have, for a filter type that has such; none for the others, of which the server says so. */
export function useSuggestions(filterType: string, search: string, wanted: boolean): readonly Option[] {
  const { site } = useSite()
  const range = useRange()
  const text = useRest(search, pause)
  const { data } = useAsk(valuesOf, { siteId: site.id, filterType, search: text, range }, !wanted || filterType === '')
  return (data?.site?.values ?? []).map(({ value, sessions }) => ({
    value,
    text: value,
    detail: words.sessionsWith(count(sessions)),
  }))
}
