import { useContext, useRef, useState } from 'react'
import type { FilterInput } from '../../api/graphql'
import { words } from '../words'
import { asObject, begin, type Draft, draftOf, type Fault, inputOf } from './draft'
import { Control, Forms, filterInput, Picker, titled } from './Form'
import { type Field, objectOf, type Shape, type Shapes } from './shape'

const filterShape: Shape = { kind: 'object', name: filterInput, required: true }

/** A filter that is edited. The key is its own while others come and go. */
interface Edited {
  readonly key: number
  readonly draft: Draft
}

/** A list of filters that is edited. */
export interface FilterList {
  readonly edited: readonly Edited[]
  readonly set: (edited: readonly Edited[]) => void
  readonly add: (field: Field) => void
  /** What the forms make; null while they lack something. */
  readonly value: FilterInput[] | null
  /** What they lack. */
  readonly missing: readonly Fault[]
}

/** Edits a list of filters that stands at a path of the input: filters, audience. */
export function useFilterList(shapes: Shapes, path: string, stored: readonly unknown[]): FilterList {
  const [edited, set] = useState<readonly Edited[]>(() =>
    stored.map((inputs, i) => ({ key: i, draft: draftOf(shapes, filterShape, inputs) ?? {} })),
  )
  const next = useRef(edited.length)
  const missing: Fault[] = []
  const inputs = edited.map(({ draft }, i) => inputOf(shapes, filterShape, draft, `${path}[${i}]`, missing))
  return {
    edited,
    set,
    add: (field) => set([...edited, { key: next.current++, draft: { [field.name]: begin(shapes, field.shape) } }]),
    value: missing.length === 0 ? (inputs as FilterInput[]) : null,
    missing,
  }
}

interface FiltersProps {
  list: FilterList
  path: string
  title: string
  help: string
}

/** The forms of a list of filters, and a picker of another one. Only for what stands below the context of forms. */
export function Filters({ list, path, title, help }: FiltersProps) {
  const { shapes, filterTypes } = useContext(Forms)
  const { edited, set } = list
  const titleOf = ({ name }: { name: string }) => filterTypes.find((type) => type.name === name)?.title ?? titled(name)
  const nameOf = (draft: Draft) => titleOf({ name: Object.keys(asObject(draft))[0] ?? words.filters })
  return (
    <section className="stack" aria-labelledby={path}>
      <div>
        <h3 id={path}>{title}</h3>
        <p className="faint">{help}</p>
      </div>
      {edited.map(({ key, draft }, i) => (
        <div key={key} className="stack">
          <Control
            shape={filterShape}
            label={words.filters}
            help=""
            path={`${path}[${i}]`}
            draft={draft}
            onDraft={(changed) =>
              set(edited.map((other) => (other.key === key ? { key, draft: changed ?? {} } : other)))
            }
            filter={null}
          />
          <p>
            <button type="button" onClick={() => set(edited.filter((other) => other.key !== key))}>
              {words.remove(nameOf(draft))}
            </button>
          </p>
        </div>
      ))}
      <Picker
        fields={objectOf(shapes, filterInput).fields}
        titleOf={titleOf}
        label={words.addFilter}
        onChoose={list.add}
      />
    </section>
  )
}
