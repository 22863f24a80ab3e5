import { useId } from 'react'
import { segmentsOf } from '../api/site'
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

/** The ids of the segments that a screen is of, as the graph takes them. */
export function useWithin(): string[] {
  const { site } = useSite()
  const { within } = useView()
  return segmentsOf(site).some(({ id }) => id === within) ? [within] : []
}
