import { useId } from 'react'
import { type Segment, segmentsOf } from '../api/site'
import styles from './SegmentChips.module.css'
import { namedSegments, shownSegments } from './segments'
import { useGo, useSite, useView, ViewLink } from './view'
import { words } from './words'

/** Chooses the segments of the view. Active ones and those chosen are chips; the others are behind "More". */
export function SegmentChips() {
  const { site, mayEdit } = useSite()
  const view = useView()
  const go = useGo()
  const id = useId()
  const all = segmentsOf(site)
  const on = new Set(shownSegments(site, view).map((segment) => segment.id))
  const toggle = (segment: Segment) => {
    const next = all
      .filter((other) => (other === segment ? !on.has(other.id) : on.has(other.id)))
      .map((other) => other.id)
    go({ segments: namedSegments(site, next) })
  }
  const chips = all.filter((segment) => segment.active || on.has(segment.id))
  const others = all.filter((segment) => !chips.includes(segment))
  return (
    <fieldset className="row">
      <legend className="hidden">{words.segmentChips}</legend>
      {chips.map((segment) => (
        <span key={segment.id} className={styles.chip}>
          <label>
            <input type="checkbox" checked={on.has(segment.id)} onChange={() => toggle(segment)} />
            <span title={segment.name}>
              <bdi>{segment.name}</bdi>
            </span>
          </label>
          {mayEdit && <Menu segment={segment} />}
        </span>
      ))}
      {others.length > 0 && (
        <>
          <label htmlFor={id} className="hidden">
            {words.moreSegments}
          </label>
          <select
            id={id}
            value=""
            onChange={({ target }) => {
              const chosen = others.find((segment) => segment.id === target.value)
              if (chosen) toggle(chosen)
            }}
          >
            <option value="">{words.moreSegments}</option>
            {others.map((segment) => (
              <option key={segment.id} value={segment.id}>
                {segment.name}
              </option>
            ))}
          </select>
        </>
      )}
      {mayEdit && (
        <ViewLink className="button" to={{ panel: { kind: 'segment', id: null } }}>
          + {words.newSegment}
        </ViewLink>
      )}
    </fieldset>
  )
}

function Menu({ segment }: { segment: Segment }) {
  const close = (element: Element) => element.closest('details')?.removeAttribute('open')
  return (
    <details
      className={styles.menu}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        close(event.currentTarget)
        event.currentTarget.querySelector('summary')?.focus()
      }}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) close(event.currentTarget)
      }}
    >
      <summary aria-label={words.actionsOf(segment.name)}>⋯</summary>
      <div className={styles.items}>
        <ViewLink to={{ panel: { kind: 'segment', id: segment.id } }} onClick={(event) => close(event.currentTarget)}>
          {words.edit}
        </ViewLink>
        <ViewLink
          to={{ panel: { kind: 'convert', segment: segment.id } }}
          onClick={(event) => close(event.currentTarget)}
        >
          {words.convert}
        </ViewLink>
      </div>
    </details>
  )
}
