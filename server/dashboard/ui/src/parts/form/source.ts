import { asObject, asText, type Draft } from './draft'
import type { FilterType } from './shape'

/** The filter that a control is part of. */
export interface FilterOf {
  readonly type: string
  /** The path of its input: filters[0].country. */
  readonly path: string
  readonly draft: Draft | undefined
}

/** What completes a control's values, as the filter type says of the argument. */
export interface Source {
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
  if (argument.suggest === 'PROPERTIES') {
    // The protocol of the graph: keys of properties are the values, without a key, of the type whose values properties have.
    const keyed = filterTypes.find((type) => type.arguments.some(({ dimension }) => dimension === 'PROPERTY'))
    return keyed ? { suggest: 'VALUES', filterType: keyed.name, key: null } : null
  }
  const at = argument.valuesKeyPath?.split('.')
  const key = at
    ? asText(at.reduce<Draft | undefined>((draft, name) => asObject(draft)[name], filter.draft)) || undefined
    : argument.valuesKey
  return { suggest: argument.suggest, filterType: filter.type, key }
}
