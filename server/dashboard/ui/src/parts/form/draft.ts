import { words } from '../words'
import { type Field, objectOf, type Shape, type Shapes } from './shape'

/**
 * A value while it is written: texts for scalars and enums, which may be anything yet, lists of drafts, and objects of drafts by
 * their fields. What is undefined is not given.
 */
export type Draft = string | readonly Draft[] | { readonly [field: string]: Draft | undefined }

type ObjectDraft = { readonly [field: string]: Draft | undefined }

/** What is wrong with a part of a draft, or with what was made of it. */
export interface Fault {
  /** Where: filters[0].country.is[1]. */
  readonly path: string
  readonly message: string
}

/** A draft as a list: none if it is something else. */
export const asList = (draft: Draft | undefined): readonly Draft[] => (Array.isArray(draft) ? draft : [])
/** A draft as an object: an empty one if it is something else. */
export const asObject = (draft: Draft | undefined): ObjectDraft =>
  typeof draft === 'object' && !Array.isArray(draft) ? (draft as ObjectDraft) : {}
/** A draft as a text: empty if it is something else. */
export const asText = (draft: Draft | undefined): string => (typeof draft === 'string' ? draft : '')

/** The draft with which a value begins: what must be given is there, to be filled in. */
export function begin(shapes: Shapes, shape: Shape): Draft {
  switch (shape.kind) {
    case 'list':
      return []
    case 'object': {
      const { oneOf, fields } = objectOf(shapes, shape.name)
      if (oneOf) return {}
      const needed = fields.filter(({ required }) => required)
      // A required field of the same type would never end; the schema forbids it, and one that is gone ends here too.
      return Object.fromEntries(needed.map(({ name, shape }) => [name, begin(shapes, shape)]))
    }
    default:
      return ''
  }
}

/** The draft of a value that is stored. */
export function draftOf(shapes: Shapes, shape: Shape, value: unknown): Draft | undefined {
  if (value === null || value === undefined) return undefined
  switch (shape.kind) {
    case 'list':
      // One value stands for a list of one.
      return (Array.isArray(value) ? value : [value]).map((item) => draftOf(shapes, shape.of, item) ?? '')
    case 'object': {
      const given = value as { readonly [field: string]: unknown }
      return Object.fromEntries(
        objectOf(shapes, shape.name)
          .fields.filter(({ name }) => given[name] !== null && given[name] !== undefined)
          .map(({ name, shape }) => [name, draftOf(shapes, shape, given[name])]),
      )
    }
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value)
  }
}

const mostInt = 2 ** 31 - 1

/** Reads a text as a scalar, or says what is wrong with it. */
function scalar(name: string, text: string): { value: unknown } | { fault: string } {
  switch (name) {
    case 'Int': {
      const n = Number(text)
      return /^\s*[+-]?\d+\s*$/.test(text) && Math.abs(n) <= mostInt ? { value: n } : { fault: words.needed.whole }
    }
    case 'Float': {
      const n = Number(text)
      return text.trim() !== '' && Number.isFinite(n) ? { value: n } : { fault: words.needed.number }
    }
    case 'Boolean':
      return { value: text === 'true' }
    case 'JSON':
      try {
        return { value: JSON.parse(text) }
      } catch {
        return { fault: words.needed.json }
      }
    default:
      return { value: text }
  }
}

/** Makes the value that the server takes of a draft. Faults say what is missing or cannot be read; then there is no value. */
export function inputOf(
  shapes: Shapes,
  shape: Shape,
  draft: Draft | undefined,
  path: string,
  faults: Fault[],
): unknown {
  const fault = (message: string, at = path) => {
    faults.push({ path: at, message })
    return undefined
  }
  if (draft === undefined) return shape.required ? fault(words.required) : undefined
  switch (shape.kind) {
    case 'list':
      return asList(draft).map((item, i) => {
        const at = `${path}[${i}]`
        if (item === '') return fault(words.needed.item, at)
        return inputOf(shapes, shape.of, item, at, faults)
      })
    case 'object':
      return objectValue(shapes, shape.name, asObject(draft), path, faults)
    default: {
      const text = asText(draft)
      if (text === '') return shape.required ? fault(words.required) : undefined
      if (shape.kind === 'enum') return text
      const read = scalar(shape.name, text)
      return 'fault' in read ? fault(read.fault) : read.value
    }
  }
}

function objectValue(shapes: Shapes, name: string, draft: ObjectDraft, path: string, faults: Fault[]): unknown {
  const { oneOf, fields } = objectOf(shapes, name)
  const value: { [field: string]: unknown } = {}
  const at = (field: Field) => (path === '' ? field.name : `${path}.${field.name}`)
  if (oneOf) {
    const chosen = fields.find((field) => draft[field.name] !== undefined)
    if (!chosen) {
      faults.push({ path, message: words.needed.one })
      return undefined
    }
    const given = inputOf(shapes, { ...chosen.shape, required: true }, draft[chosen.name], at(chosen), faults)
    return { [chosen.name]: given }
  }
  for (const field of fields) {
    const shape = { ...field.shape, required: field.required }
    const given = inputOf(shapes, shape, draft[field.name], at(field), faults)
    if (given !== undefined) value[field.name] = given
  }
  return value
}

/** Faults at a place itself or, with `below`, in it too. */
export const faultsAt = (faults: readonly Fault[], path: string, below = false): readonly Fault[] =>
  faults.filter(
    (fault) =>
      fault.path === path || (below && (fault.path.startsWith(`${path}.`) || fault.path.startsWith(`${path}[`))),
  )
