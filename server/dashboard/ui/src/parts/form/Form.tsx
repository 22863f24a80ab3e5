import { createContext, type ReactNode, useContext, useId, useState } from 'react'
import { segmentsOf } from '../../api/site'
import { Faults } from '../Faults'
import { useSite } from '../view'
import { words } from '../words'
import { Combobox, type Option } from './Combobox'
import { asList, asObject, asText, begin, type Draft, type Fault, faultsAt } from './draft'
import styles from './Form.module.css'
import { type Field, type FilterType, objectOf, type Shape, type Shapes } from './shape'
import { type FilterOf, sourceOf } from './source'
import { useSuggestions } from './suggest'

/** The input of filters: its fields are the filter types, and groups of filters. */
export const filterInput = 'FilterInput'

/** What every control of a form needs: the types, what the types of filters are called, and what is wrong. */
export interface FormContext {
  readonly shapes: Shapes
  readonly filterTypes: readonly FilterType[]
  readonly faults: readonly Fault[]
}

export const Forms = createContext<FormContext>({
  shapes: { objects: new Map(), enums: new Map() },
  filterTypes: [],
  faults: [],
})

/** A name of the schema as people write: eventValue is Event value, and VERY_OLD is Very old. */
export function titled(name: string): string {
  const spaced = name
    .replaceAll('_', ' ')
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
  return spaced.charAt(0).toUpperCase() + spaced.slice(1)
}

interface ControlProps {
  shape: Shape
  label: string
  help: string
  path: string
  draft: Draft | undefined
  onDraft: (draft: Draft | undefined) => void
  /** The filter that the control is part of; null outside of one. */
  filter: FilterOf | null
}

/** The control for a value of any input type. */
export function Control(props: ControlProps) {
  switch (props.shape.kind) {
    case 'object':
      return <ObjectControl {...props} name={props.shape.name} />
    case 'list':
      if (props.shape.of.kind === 'enum') return <Checks {...props} name={props.shape.of.name} />
      if (props.shape.of.kind === 'scalar') return <Tokens {...props} />
      return <Items {...props} of={props.shape.of} />
    default:
      return <Single {...props} />
  }
}

/** The faults of a control, in words, and the id by which the control names them. */
function useFaults(path: string, below = false) {
  const { faults } = useContext(Forms)
  const id = useId()
  const own = faultsAt(faults, path, below)
  const shown = <Faults id={`${id}-faults`} faults={own.map(({ message }) => message)} />
  return { own, shown, describedBy: own.length > 0 ? `${id}-faults` : undefined }
}

function Single({ shape, label, help, path, draft, onDraft, filter }: ControlProps) {
  const { shapes, filterTypes } = useContext(Forms)
  const { site } = useSite()
  const id = useId()
  const { own, shown, describedBy } = useFaults(path)
  const name = shape.kind === 'list' || shape.kind === 'object' ? '' : shape.name
  const common = {
    id,
    value: asText(draft),
    'aria-invalid': own.length > 0,
    'aria-required': shape.required,
    'aria-describedby': [help !== '' ? `${id}-help` : '', describedBy ?? ''].join(' ').trim() || undefined,
  }
  const choices: readonly Option[] | null =
    shape.kind === 'enum'
      ? (shapes.enums.get(name) ?? []).map((value) => ({ value: value.name, text: titled(value.name), detail: '' }))
      : name === 'Boolean'
        ? [
            { value: 'true', text: words.yes, detail: '' },
            { value: 'false', text: words.no, detail: '' },
          ]
        : name === 'ID' // the only things that filters name are segments
          ? segmentsOf(site).map((segment) => ({ value: segment.id, text: segment.name, detail: '' }))
          : null
  const set = (text: string) => onDraft(text === '' && !shape.required ? undefined : text)
  const [isUsed, setUsed] = useState(false)
  const source = choices ? null : sourceOf(filterTypes, filter, path)
  const suggested = useSuggestions(source, asText(draft), isUsed)
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {choices ? (
        <select {...common} onChange={({ target }) => set(target.value)}>
          <option value="">{shape.required ? words.choose : words.notGiven}</option>
          {choices.map(({ value, text }) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...common}
          type="text"
          inputMode={name === 'Int' ? 'numeric' : name === 'Float' ? 'decimal' : undefined}
          list={source ? `${id}-list` : undefined}
          onFocus={() => setUsed(true)}
          onChange={({ target }) => set(target.value)}
        />
      )}
      {source && (
        <datalist id={`${id}-list`}>
          {suggested.map(({ value, detail }) => (
            <option key={value} value={value} label={detail === '' ? undefined : detail} />
          ))}
        </datalist>
      )}
      <Help id={`${id}-help`} text={help} />
      {shown}
    </div>
  )
}

function Help({ id, text }: { id?: string; text: string }) {
  return text === '' ? null : (
    <p id={id} className={styles.help}>
      {text}
    </p>
  )
}

interface GroupProps {
  label: string
  help: string
  faults: ReactNode
  describedBy: string | undefined
  children: ReactNode
}

function Group({ label, help, faults, describedBy, children }: GroupProps) {
  return (
    <fieldset className={styles.group} aria-describedby={describedBy}>
      <legend>{label}</legend>
      <Help text={help} />
      {faults}
      {children}
    </fieldset>
  )
}

/** A list of an enum's values: a check for each. */
function Checks({ name, label, help, path, draft, onDraft }: ControlProps & { name: string }) {
  const { shapes } = useContext(Forms)
  const { shown, describedBy } = useFaults(path, true)
  const values = shapes.enums.get(name) ?? []
  const checked = asList(draft)
  return (
    <Group label={label} help={help} faults={shown} describedBy={describedBy}>
      {values.map((value) => (
        <label key={value.name} className={styles.choice}>
          <input
            type="checkbox"
            checked={checked.includes(value.name)}
            onChange={({ target }) =>
              onDraft(
                values
                  .map((other) => other.name)
                  .filter((other) => (other === value.name ? target.checked : checked.includes(other))),
              )
            }
          />
          <span>
            {titled(value.name)} <span className={styles.help}>{value.description}</span>
          </span>
        </label>
      ))}
    </Group>
  )
}

/** A list of texts or numbers, in their order: what sessions have is suggested, and anything else may be typed. */
function Tokens({ label, help, path, draft, onDraft, filter }: ControlProps) {
  const [text, setText] = useState('')
  const [isUsed, setUsed] = useState(false)
  const { own, shown, describedBy } = useFaults(path, true)
  const tokens = asList(draft).map(asText)
  const { filterTypes } = useContext(Forms)
  const options = useSuggestions(sourceOf(filterTypes, filter, path), text, isUsed).filter(
    ({ value }) => !tokens.includes(value),
  )
  const add = (value: string) => {
    if (!tokens.includes(value)) onDraft([...tokens, value])
    setText('')
  }
  const drop = (at: number) => onDraft(tokens.filter((_, i) => i !== at))
  return (
    <div className="field">
      <span>{label}</span>
      {tokens.length > 0 && (
        <ol className={styles.tokens} aria-label={label}>
          {tokens.map((token, i) => (
            <li key={token} className={styles.token} data-faulty={own.some((fault) => fault.path === `${path}[${i}]`)}>
              <bdi>{token}</bdi>
              <button type="button" aria-label={words.removeToken(token)} onClick={() => drop(i)}>
                ×
              </button>
            </li>
          ))}
        </ol>
      )}
      <Combobox
        label={label}
        placeholder={words.addToken}
        text={text}
        onText={setText}
        onFocus={() => setUsed(true)}
        options={options}
        onChoose={add}
        free
        invalid={own.length > 0}
        describedBy={describedBy}
        onBackspace={() => tokens.length > 0 && drop(tokens.length - 1)}
      />
      <Help text={help} />
      {shown}
    </div>
  )
}

/** A list of objects, or of lists: each with its control. */
function Items({ of, label, help, path, draft, onDraft, filter }: ControlProps & { of: Shape }) {
  const { shapes } = useContext(Forms)
  const { shown, describedBy } = useFaults(path)
  const items = asList(draft)
  return (
    <Group label={label} help={help} faults={shown} describedBy={describedBy}>
      {items.map((item, i) => {
        const name = `${label} ${i + 1}`
        return (
          <div key={i} className="stack">
            <Control
              shape={of}
              label={name}
              help=""
              path={`${path}[${i}]`}
              draft={item}
              onDraft={(next) => onDraft(items.map((other, n) => (n === i ? (next ?? '') : other)))}
              filter={filter}
            />
            <p>
              <button type="button" onClick={() => onDraft(items.filter((_, n) => n !== i))}>
                {words.remove(name)}
              </button>
            </p>
          </div>
        )
      })}
      <p>
        <button type="button" onClick={() => onDraft([...items, begin(shapes, of)])}>
          + {words.addToList(label)}
        </button>
      </p>
    </Group>
  )
}

function ObjectControl(props: ControlProps & { name: string }) {
  const { shapes } = useContext(Forms)
  const { oneOf, fields } = objectOf(shapes, props.name)
  return oneOf ? <OneOf {...props} fields={fields} /> : <AllOf {...props} fields={fields} />
}

/** So many members are chosen from by radios; more, by a search. */
const mostRadios = 6

/** An object of which exactly one field is given. */
function OneOf({
  name,
  fields,
  label,
  help,
  path,
  draft,
  onDraft,
  filter,
}: ControlProps & { name: string; fields: readonly Field[] }) {
  const { shapes } = useContext(Forms)
  const id = useId()
  const { shown, describedBy } = useFaults(path)
  const given = asObject(draft)
  const chosen = fields.find((field) => given[field.name] !== undefined)
  const choose = (field: Field) => onDraft({ [field.name]: begin(shapes, field.shape) })
  const titleOf = useTitle(name)
  const control = chosen && (
    <Control
      shape={{ ...chosen.shape, required: true }}
      label={titleOf(chosen)}
      help={chosen.description}
      path={`${path}.${chosen.name}`}
      draft={given[chosen.name]}
      onDraft={(next) => onDraft({ [chosen.name]: next ?? begin(shapes, chosen.shape) })}
      filter={
        name === filterInput ? { type: chosen.name, path: `${path}.${chosen.name}`, draft: given[chosen.name] } : filter
      }
    />
  )
  if (fields.length > mostRadios) {
    return control ? (
      <>
        {shown}
        {control}
      </>
    ) : (
      <Group label={label} help={help} faults={shown} describedBy={describedBy}>
        <Picker fields={fields} titleOf={titleOf} label={words.choose} onChoose={choose} />
      </Group>
    )
  }
  return (
    <Group label={label} help={help} faults={shown} describedBy={describedBy}>
      {fields.map((field) => (
        <label key={field.name} className={styles.choice}>
          <input type="radio" name={id} checked={field === chosen} onChange={() => choose(field)} />
          <span>
            {titleOf(field)} <span className={styles.help}>{field.description}</span>
          </span>
        </label>
      ))}
      {control}
    </Group>
  )
}

/** What a field is called: as its filter type is, if it is one. */
function useTitle(object: string): (field: Field) => string {
  const { filterTypes } = useContext(Forms)
  return ({ name }) => (object === filterInput && filterTypes.find((type) => type.name === name)?.title) || titled(name)
}

interface PickerProps {
  fields: readonly Field[]
  titleOf: (field: Field) => string
  label: string
  onChoose: (field: Field) => void
}

/** Chooses one of many fields by a search in their names and descriptions. */
export function Picker({ fields, titleOf, label, onChoose }: PickerProps) {
  const [text, setText] = useState('')
  const wanted = text.trim().toLowerCase()
  const found = fields.filter(
    (field) => titleOf(field).toLowerCase().includes(wanted) || field.description.toLowerCase().includes(wanted),
  )
  return (
    <Combobox
      label={label}
      placeholder={label}
      text={text}
      onText={setText}
      options={found.map((field) => ({ value: field.name, text: titleOf(field), detail: '' }))}
      onChoose={(name) => {
        setText('')
        const field = fields.find((field) => field.name === name)
        if (field) onChoose(field)
      }}
    />
  )
}

const isNested = ({ kind, ...shape }: Shape) =>
  kind === 'object' || (kind === 'list' && 'of' in shape && shape.of.kind === 'object')

/** An object: a control for each field. What is nested and need not be given is behind a button. */
function AllOf({ fields, label, help, path, draft, onDraft, filter }: ControlProps & { fields: readonly Field[] }) {
  const { shapes } = useContext(Forms)
  const { shown, describedBy } = useFaults(path)
  const given = asObject(draft)
  const set = (field: Field, next: Draft | undefined) => {
    const { [field.name]: _, ...rest } = given
    onDraft(next === undefined ? rest : { ...rest, [field.name]: next })
  }
  const control = (field: Field) => {
    const title = titled(field.name)
    if (isNested(field.shape) && !field.required && given[field.name] === undefined) {
      return (
        <p key={field.name}>
          <button type="button" onClick={() => set(field, begin(shapes, field.shape))}>
            + {words.give(title)}
          </button>
        </p>
      )
    }
    return (
      <div key={field.name} className="field">
        <Control
          shape={{ ...field.shape, required: field.required }}
          label={title}
          help={field.description + (field.fallback === null ? '' : ` (${field.fallback})`)}
          path={`${path}.${field.name}`}
          draft={given[field.name]}
          onDraft={(next) => set(field, next)}
          filter={filter}
        />
        {isNested(field.shape) && !field.required && (
          <p>
            <button type="button" onClick={() => set(field, undefined)}>
              {words.remove(title)}
            </button>
          </p>
        )}
      </div>
    )
  }
  const pair = pairOf(fields)
  return (
    <Group label={label} help={help} faults={shown} describedBy={describedBy}>
      {pair && <div className={styles.pair}>{pair.map(control)}</div>}
      {fields.filter((field) => !pair?.includes(field)).map(control)}
    </Group>
  )
}

/** The ends of a range, which stand in one row: min and max of one scalar type. */
function pairOf(fields: readonly Field[]): readonly Field[] | null {
  const [low, high] = ['min', 'max'].map((name) =>
    fields.find((field) => field.name === name && field.shape.kind === 'scalar'),
  )
  const isPair = low && high && 'name' in low.shape && 'name' in high.shape && low.shape.name === high.shape.name
  return isPair ? [low, high] : null
}
