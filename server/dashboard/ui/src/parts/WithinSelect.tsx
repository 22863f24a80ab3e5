import { useId } from 'react'
import type { FilterInput } from '../api/graphql'
import { type Segment, segmentsOf } from '../api/site'
import { useGo, useSite, useView } from './view'
import { words } from './words'

/** Chooses the segment that a screen is of. */
export function WithinSelect() {
  const { site } = useSite()
  const { within } = useView()
  const go = useGo()
  const id = useId()
  return (
    <div className="row">
      <label htmlFor={id}>{words.within}</label>
      <select id={id} value={within} onChange={({ target }) => go({ within: target.value })}>
        <option value="">{words.everySession}</option>
        {segmentsOf(site)
          .filter((segment) => segment.filters.length > 0 || segment.id === within)
          .map((segment) => (
            <option key={segment.id} value={segment.id}>
              {segment.name}
            </option>
          ))}
      </select>
    </div>
  )
}

/** The segment that a screen is of; null for every session. */
export function useWithin(): Segment | null {
  const { site } = useSite()
  const { within } = useView()
  return segmentsOf(site).find(({ id }) => id === within) ?? null
}

/** The filters of a segment as the graph takes them; none of every session. */
export const inputsOf = (segment: Segment | null): FilterInput[] =>
  (segment?.filters ?? []).map(({ inputs }) => inputs as FilterInput)
