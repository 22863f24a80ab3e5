import { goalsOf, type Site, segmentsOf } from '../api/site'

/** The texts in a value of any kind. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

/** The names of the segments and goals whose filters name a segment, by its id. */
export function usersOf(site: Site): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>(segmentsOf(site).map(({ id }) => [id, []]))
  for (const { name, filters } of [...segmentsOf(site), ...goalsOf(site)]) {
    for (const text of new Set(filters.flatMap(({ inputs }) => textsIn(inputs)))) users.get(text)?.push(name)
  }
  return users
}
