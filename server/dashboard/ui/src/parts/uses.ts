import { goalsOf, type Site, segmentsOf } from '../api/site'

/** Whether a filter, or a group that it is, names a segment by its id. */
function names(value: unknown, id: string): boolean {
  if (value === id) return true
  return typeof value === 'object' && value !== null && Object.values(value).some((part) => names(part, id))
}

/** The names of the segments and goals whose filters name a segment. */
export const usersOf = (site: Site, id: string): readonly string[] =>
  [...segmentsOf(site), ...goalsOf(site)]
    .filter((definition) => definition.filters.some(({ inputs }) => names(inputs, id)))
    .map(({ name }) => name)
