import { type Segment, type Site, segmentsOf } from '../api/site'
import type { View } from './address'
import { listed, words } from './words'

/** The segments that a view shows: those it names and the site still has or, if it names none, the active ones. */
export function shownSegments(site: Site, view: View): readonly Segment[] {
  const all = segmentsOf(site)
  if (view.segments === null) return all.filter(({ active }) => active)
  return view.segments.flatMap((id) => all.find((segment) => segment.id === id) ?? [])
}

/** The ids to name in a view that shows these segments: null if they are those that it would show in any case. */
export function namedSegments(site: Site, ids: readonly string[]): readonly string[] | null {
  const active = segmentsOf(site)
    .filter((segment) => segment.active)
    .map(({ id }) => id)
  return active.length === ids.length && active.every((id, i) => id === ids[i]) ? null : ids
}

/** What filters keep, in words. */
export const described = (filters: readonly { readonly label: string | null }[]): string =>
  listed(
    filters.map(({ label }) => label ?? words.unavailable),
    '; ',
  ) || words.everySession
