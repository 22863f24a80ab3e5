import type { ResultOf } from 'gql.tada'
import { graphql } from '../../api/graphql'

/** Asks for all input types of the served schema, those of plugins among them, and for the filter types. */
export const askShapes = graphql(`
  query Shapes {
    filterTypes {
      name
      title
      description
      mergeRule
      computed
      inputType
      arguments { path suggest valuesKey valuesKeyPath dimension }
      plugin { name status builtin }
    }
    __schema {
      types {
        kind
        name
        description
        isOneOf
        inputFields {
          name
          description
          defaultValue
          type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } }
        }
        enumValues { name description }
      }
    }
  }
`)

/** A type as introspection tells of it. The generated types know nothing of introspection, whose answer GraphQL's specification fixes. */
export interface AskedType {
  readonly kind: string
  readonly name: string | null
  readonly isOneOf: boolean | null
  readonly inputFields: readonly AskedField[] | null
  readonly enumValues: readonly { readonly name: string; readonly description: string | null }[] | null
}

interface AskedField {
  readonly name: string
  readonly description: string | null
  readonly defaultValue: string | null
  readonly type: TypeRef
}

/** The types in an answer. */
export const typesIn = (data: ResultOf<typeof askShapes>): readonly AskedType[] =>
  (data.__schema as unknown as { readonly types: readonly AskedType[] }).types

export type FilterType = NonNullable<ResultOf<typeof askShapes>['filterTypes']>[number]

/** The type of a value, as a form needs to know it. */
export type Shape =
  | { readonly kind: 'scalar'; readonly name: string; readonly required: boolean }
  | { readonly kind: 'enum'; readonly name: string; readonly required: boolean }
  | { readonly kind: 'object'; readonly name: string; readonly required: boolean }
  | { readonly kind: 'list'; readonly of: Shape; readonly required: boolean }

/** A field of an input object. */
export interface Field {
  readonly name: string
  readonly description: string
  readonly shape: Shape
  /** Whether it must be given. */
  readonly required: boolean
  /** The default in GraphQL's notation; null if there is none. */
  readonly fallback: string | null
}

/** An input object. With `oneOf`, exactly one of the fields is given. */
export interface InputObject {
  readonly oneOf: boolean
  readonly fields: readonly Field[]
}

/** The values of an enum. */
export type EnumValues = readonly { readonly name: string; readonly description: string }[]

/** The input types of the served schema by their names. */
export interface Shapes {
  readonly objects: ReadonlyMap<string, InputObject>
  readonly enums: ReadonlyMap<string, EnumValues>
}

interface TypeRef {
  readonly kind: string
  readonly name: string | null
  readonly ofType?: TypeRef | null
}

function shapeOf(type: TypeRef, required = false): Shape {
  switch (type.kind) {
    case 'NON_NULL':
      return shapeOf(type.ofType as TypeRef, true)
    case 'LIST':
      return { kind: 'list', of: shapeOf(type.ofType as TypeRef), required }
    case 'INPUT_OBJECT':
      return { kind: 'object', name: String(type.name), required }
    case 'ENUM':
      return { kind: 'enum', name: String(type.name), required }
    default:
      return { kind: 'scalar', name: String(type.name), required }
  }
}

/** Reads what introspection tells. */
export function shapesOf(types: readonly AskedType[]): Shapes {
  const objects = new Map<string, InputObject>()
  const enums = new Map<string, EnumValues>()
  for (const { kind, name, isOneOf, inputFields, enumValues } of types) {
    if (name === null) continue
    if (kind === 'ENUM') {
      enums.set(
        name,
        (enumValues ?? []).map((value) => ({ name: value.name, description: value.description ?? '' })),
      )
    }
    if (kind !== 'INPUT_OBJECT') continue
    objects.set(name, {
      oneOf: isOneOf ?? false,
      fields: (inputFields ?? []).map((field) => {
        const shape = shapeOf(field.type)
        return {
          name: field.name,
          description: field.description ?? '',
          shape,
          required: shape.required && field.defaultValue === null,
          fallback: field.defaultValue,
        }
      }),
    })
  }
  return { objects, enums }
}

/** The fields of an input object; none of one that the schema no longer has. */
export const objectOf = (shapes: Shapes, name: string): InputObject =>
  shapes.objects.get(name) ?? { oneOf: false, fields: [] }
