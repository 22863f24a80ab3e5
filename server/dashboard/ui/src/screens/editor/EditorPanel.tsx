import { type FormEvent, useId, useMemo, useState } from 'react'
import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { createGoal, createSegment, updateGoal, updateSegment } from '../../api/definitions'
import type { FilterInput } from '../../api/graphql'
import type { Problem } from '../../api/problem'
import { type Goal, goalsOf, type Segment, segmentsOf } from '../../api/site'
import { Drawer } from '../../parts/Drawer'
import type { Fault } from '../../parts/form/draft'
import { Filters, useFilterList } from '../../parts/form/Filters'
import { Forms } from '../../parts/form/Form'
import type { FilterType, Shapes } from '../../parts/form/shape'
import { useRest } from '../../parts/form/suggest'
import { useShapes } from '../../parts/form/useShapes'
import { count } from '../../parts/format'
import { faultOf, Problems } from '../../parts/Problems'
import { SelectField } from '../../parts/SelectField'
import { TextField } from '../../parts/TextField'
import { useGo, useRange, useSite, useView } from '../../parts/view'
import { words } from '../../parts/words'
import { preview } from './preview'

interface EditorPanelProps {
  kind: 'segment' | 'goal'
  /** Null for one that is yet to be created. */
  id: string | null
}

/** Creates or changes a segment or a goal, by forms that are made of the served schema. */
export default function EditorPanel({ kind, id }: EditorPanelProps) {
  const { site } = useSite()
  const { shapes, filterTypes, problems } = useShapes()
  const all: readonly (Segment | Goal)[] = kind === 'segment' ? segmentsOf(site) : goalsOf(site)
  const edited = all.find((definition) => definition.id === id)
  const title =
    kind === 'segment' ? (edited ? words.editSegment : words.newSegment) : edited ? words.editGoal : words.newGoal
  return (
    <Drawer title={title}>
      <Problems problems={problems} />
      {id !== null && !edited ? (
        <p>{words.gone}</p>
      ) : shapes ? (
        <Editor kind={kind} edited={edited} shapes={shapes} filterTypes={filterTypes} />
      ) : (
        problems.length === 0 && <p role="status">{words.loading}</p>
      )}
    </Drawer>
  )
}

interface EditorProps {
  kind: 'segment' | 'goal'
  edited: Segment | Goal | undefined
  shapes: Shapes
  filterTypes: readonly FilterType[]
}

function Editor({ kind, edited, shapes, filterTypes }: EditorProps) {
  const { site } = useSite()
  const go = useGo()
  const goal = edited && 'key' in edited ? edited : undefined
  const [name, setName] = useState(edited?.name ?? '')
  const [key, setKey] = useState(goal?.key ?? '')
  const [description, setDescription] = useState(goal?.description ?? '')
  const [valueEvent, setValueEvent] = useState(goal?.valueEvent ?? '')
  const [direction, setDirection] = useState(goal?.direction ?? 'HIGHER_IS_BETTER')
  const [active, setActive] = useState(edited && 'active' in edited ? edited.active : true)
  const begun = useBegun(kind)
  const list = useFilterList(shapes, 'filters', edited ? edited.filters.map(({ inputs }) => inputs) : begun)
  const [tried, setTried] = useState(false)
  const { busy, problems, change } = useChange()

  // What the form lacks is said once somebody has tried to save it; until then it is only not finished.
  const { value, missing } = list
  // A new goal without filters counts the sessions with the event of its key, for which the server makes the filter.
  const isByKey = kind === 'goal' && !edited && list.edited.length === 0
  const live = usePreview(kind, isByKey ? null : value)
  const refused = [...problems, ...live.problems]
  const faults = [...(tried ? missing : []), ...refused.map(faultHere)]
  const unplaced = problems.filter((problem) => !isPlaced(faultHere(problem), kind))

  const save = async (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (!value) return
    const common = { name, filters: value }
    const texts = { description, direction, valueEvent: valueEvent === '' ? null : valueEvent }
    const expectedUpdatedAt = edited?.updatedAt
    const saved =
      kind === 'segment'
        ? edited
          ? await change(updateSegment, { input: { ...common, active, id: edited.id, expectedUpdatedAt } })
          : await change(createSegment, { input: { ...common, active, siteId: site.id } })
        : edited
          ? await change(updateGoal, { input: { ...common, ...texts, id: edited.id, expectedUpdatedAt } })
          : await change(createGoal, {
              input: {
                ...(isByKey ? { name, description, direction } : { ...common, ...texts }),
                key,
                siteId: site.id,
              },
            })
    if (saved) go({ panel: null })
  }
  const faultsOf = (field: string) => faults.filter(({ path }) => path === field).map(({ message }) => message)
  return (
    <Forms value={{ shapes, filterTypes, faults }}>
      <form className="stack" noValidate onSubmit={save}>
        <TextField label={words.name} value={name} onChange={setName} required faults={faultsOf('name')} />
        {kind === 'goal' && (
          <>
            {!edited && (
              <TextField
                label={words.key}
                help={words.keyHelp}
                value={key}
                onChange={setKey}
                required
                faults={faultsOf('key')}
              />
            )}
            <TextField
              label={words.description}
              value={description}
              onChange={setDescription}
              faults={faultsOf('description')}
            />
            {!isByKey && (
              <TextField
                label={words.valueEvent}
                help={words.valueEventHelp}
                value={valueEvent}
                onChange={setValueEvent}
                faults={faultsOf('valueEvent')}
              />
            )}
            <SelectField label={words.direction} value={direction} choices={words.directions} onChange={setDirection} />
          </>
        )}
        {kind === 'segment' && (
          <label className="row">
            <input type="checkbox" checked={active} onChange={({ target }) => setActive(target.checked)} />
            {words.activeHelp}
          </label>
        )}
        <Filters
          list={list}
          path="filters"
          title={words.filters}
          help={isByKey ? words.filterByKey : list.edited.length === 0 ? words.noFilters : words.filtersHelp}
        />
        {!isByKey && <Live live={live} />}
        <Problems problems={unplaced} />
        {tried && missing.length > 0 && (
          <p className="notice" role="alert">
            {words.invalid}
          </p>
        )}
        <p>
          <button type="submit" className="primary" disabled={busy}>
            {busy ? words.saving : edited ? words.save : words.create}
          </button>
        </p>
      </form>
    </Forms>
  )
}

/** What a new segment begins with: the filters of the view. */
function useBegun(kind: 'segment' | 'goal'): readonly FilterInput[] {
  const { site } = useSite()
  const { within, filters } = useView()
  if (kind === 'goal') return []
  const of = segmentsOf(site).find(({ id }) => id === within)
  return [...(of?.filters ?? []).map(({ inputs }) => inputs as FilterInput), ...filters]
}

/** The fault that a refusal is, also one of the merge with another's filters, which has the draft's as its argument. */
function faultHere(problem: Problem): Fault {
  const { path, message } = faultOf(problem)
  return { path: path.replace(/^(active|goal)\[/, 'filters['), message }
}

/** Whether the form has the control that a fault is for. */
const isPlaced = ({ path }: Fault, kind: 'segment' | 'goal') =>
  path.startsWith('filters[') ||
  path === 'name' ||
  (kind === 'goal' && ['key', 'description', 'valueEvent'].includes(path))

const pause = 300

/** What the draft counts and merges to. While it is not valid, or changes, the former answer stays. */
function usePreview(kind: 'segment' | 'goal', value: FilterInput[] | null) {
  const { site } = useSite()
  const range = useRange()
  const others: readonly (Segment | Goal)[] =
    kind === 'segment' ? goalsOf(site).filter(({ archived }) => !archived) : segmentsOf(site)
  const [chosen, choose] = useState(others[0]?.id ?? '')
  const other = others.find(({ id }) => id === chosen)
  const text = JSON.stringify(value)
  const rest = useRest(text, pause)
  const [valid, setValid] = useState('[]')
  if (rest !== 'null' && rest !== valid) setValid(rest)
  const filters = useMemo(() => JSON.parse(valid) as FilterInput[], [valid])
  const beside = (other?.filters ?? []).map(({ inputs }) => inputs as FilterInput)
  const { data, problems } = useAsk(preview, {
    siteId: site.id,
    filters,
    active: kind === 'segment' ? filters : beside,
    goal: kind === 'segment' ? beside : filters,
    range,
  })
  return { site: data?.site, problems, others, chosen, choose }
}

function Live({ live }: { live: ReturnType<typeof usePreview> }) {
  const id = useId()
  const merge = live.site?.merge
  return (
    <section className="box stack" aria-labelledby={`${id}-count`}>
      <h3 id={`${id}-count`}>{words.liveCount}</h3>
      <p role="status">
        <strong>{count(live.site?.sessionCount)}</strong>
      </p>
      {live.others.length === 0 ? (
        <p className="faint">{words.liveMergeNone}</p>
      ) : (
        <>
          <div className="field">
            <label htmlFor={id}>{words.liveMerge}</label>
            <select id={id} value={live.chosen} onChange={({ target }) => live.choose(target.value)}>
              {live.others.map((other) => (
                <option key={other.id} value={other.id}>
                  {other.name}
                </option>
              ))}
            </select>
          </div>
          {merge?.empty && <p className="flag">{words.mergedEmpty}</p>}
          {merge && (
            <ul>
              {merge.filters.length === 0 && <li>{words.everySession}</li>}
              {merge.filters.map((row, i) => (
                <li key={i}>
                  <bdi>{row.empty ? words.excluded : (row.filter?.label ?? words.unavailable)}</bdi>
                  <span className="faint">{row.rule && row.active && row.goal && ` (${words.rules[row.rule]})`}</span>
                </li>
              ))}
            </ul>
          )}
        </>
      )}
    </section>
  )
}
