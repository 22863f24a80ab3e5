import type { FilterInput } from '../../api/graphql'
import { type FilterType, objectOf, type Shape, type Shapes } from './shape'

type Value = { readonly [field: string]: unknown }

/** A value of a shape of which a breakdown tells the text: a list of one, a number, or the text itself. */
function valueIn(shape: Shape, text: string): unknown {
  if (shape.kind === 'list') return [valueIn(shape.of, text)]
  return shape.kind === 'scalar' && (shape.name === 'Int' || shape.name === 'Float') ? Number(text) : text
}

/** Puts a text where a path leads in the input object with a name; null where the schema has no such path. */
function put(shapes: Shapes, object: string, path: readonly string[], text: string, into: Value): Value | null {
  const [first, ...rest] = path
  const field = objectOf(shapes, object).fields.find(({ name }) => name === first)
  if (!field) return null
  if (rest.length === 0) return { ...into, [field.name]: valueIn(field.shape, text) }
  if (field.shape.kind !== 'object') return null
  const inner = put(shapes, field.shape.name, rest, text, (into[field.name] ?? {}) as Value)
  return inner && { ...into, [field.name]: inner }
}

/**
 * The filter that keeps the sessions of a breakdown's row, as the filter types that are served say which of their arguments take
 * a dimension's values: null where none does. The built-in types come before those of others.
 */
export function rowFilter(
  shapes: Shapes,
  filterTypes: readonly FilterType[],
  dimension: string,
  key: string,
  value: string,
): FilterInput | null {
  const known = [...filterTypes].sort((a, b) => Number(b.plugin?.builtin ?? false) - Number(a.plugin?.builtin ?? false))
  for (const type of known) {
    const argument = type.arguments.find((argument) => argument.dimension === dimension)
    if (!argument) continue
    const at = (path: string) => path.split('.')
    const made = put(shapes, type.inputType, at(argument.path), value, {})
    const keyed =
      made && argument.valuesKeyPath !== null
        ? put(shapes, type.inputType, at(argument.valuesKeyPath), key, made)
        : made
    if (keyed) return { [type.name]: keyed }
  }
  return null
}
