import { type FormEvent, useId, useState } from 'react'
import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { createGoal } from '../../api/definitions'
import { graphql } from '../../api/graphql'
import type { Problem } from '../../api/problem'
import { goalsOf } from '../../api/site'
import { Drawer } from '../../parts/Drawer'
import type { Fault } from '../../parts/form/draft'
import { Filters, useFilterList } from '../../parts/form/Filters'
import { Forms } from '../../parts/form/Form'
import type { FilterType, Shapes } from '../../parts/form/shape'
import { useShapes } from '../../parts/form/useShapes'
import { bare, faultsIn, Problems, unplacedIn } from '../../parts/Problems'
import { TextField } from '../../parts/TextField'
import { useGo, useSite } from '../../parts/view'
import { words } from '../../parts/words'
import { askExperiment, createExperiment, type Experiment, experimentOf, updateExperiment } from './results'

/** Creates or changes an experiment. What can no longer change once it has started is not offered. */
export default function ExperimentPanel({ id }: { id: string | null }) {
  const { shapes, filterTypes, problems } = useShapes()
  const { data, problems: missing, stale } = useAsk(askExperiment, { id: id ?? '' }, id === null)
  const experiment = experimentOf(data?.node)
  const waits = !shapes || (id !== null && !experiment && stale)
  return (
    <Drawer title={id === null ? words.newExperiment : words.editExperiment}>
      <Problems problems={[...problems, ...missing]} />
      {waits ? (
        problems.length === 0 && <p role="status">{words.loading}</p>
      ) : id !== null && !experiment ? (
        <p>{words.gone}</p>
      ) : (
        <Editor experiment={experiment} shapes={shapes} filterTypes={filterTypes} />
      )}
    </Drawer>
  )
}

/** A variant that is edited: the weight is a text until it is sent. */
interface EditedVariant {
  readonly place: number
  readonly key: string
  readonly name: string
  readonly weight: string
}

interface EditorProps {
  experiment: Experiment | null
  shapes: Shapes
  filterTypes: readonly FilterType[]
}

const fresh: readonly EditedVariant[] = [
  { place: 0, key: 'control', name: words.controlName, weight: '1' },
  { place: 1, key: 'treatment', name: words.treatmentName, weight: '1' },
]

/** What begins the value of a metric that is an event and no goal yet. */
const eventPrefix = 'event:'

function Editor({ experiment, shapes, filterTypes }: EditorProps) {
  const { site } = useSite()
  const go = useGo()
  const isDraft = experiment === null || experiment.status === 'DRAFT'
  const [name, setName] = useState(experiment?.name ?? '')
  const [key, setKey] = useState(experiment?.key ?? '')
  const [description, setDescription] = useState(experiment?.description ?? '')
  const [variants, setVariants] = useState<readonly EditedVariant[]>(
    experiment?.variants.map(({ key, name, weight }, place) => ({ place, key, name, weight: String(weight) })) ?? fresh,
  )
  const [baseline, setBaseline] = useState(experiment?.variants.find((variant) => variant.baseline)?.key ?? null)
  const [primary, setPrimary] = useState(experiment?.primaryMetric?.id ?? '')
  const [secondary, setSecondary] = useState<readonly string[]>(experiment?.secondaryMetrics.map(({ id }) => id) ?? [])
  const [attribution, setAttribution] = useState(experiment?.attribution ?? 'SESSION')
  const audience = useFilterList(shapes, 'audience', experiment?.audience.map(({ inputs }) => inputs) ?? [])
  const [tried, setTried] = useState(false)
  const { busy, problems, change } = useChange()
  const id = useId()

  const unread = variants.some(({ weight }) => !(Number(weight) > 0))
  const faults: readonly Fault[] = [
    ...(tried ? audience.missing : []),
    ...problems.filter(({ field }) => field.startsWith('input.audience')).map(faultOf),
  ]
  const faultsOf = (field: string) => faultsIn(problems, field)
  const unplaced = unplacedIn(problems, ['name', 'key', 'description', 'variants', 'audience'])

  /** The goal of a metric, which is made of an event that is none yet. */
  const metricOf = async (chosen: string): Promise<string | null> => {
    if (!chosen.startsWith(eventPrefix)) return chosen
    const event = chosen.slice(eventPrefix.length)
    const made = await change(createGoal, { input: { siteId: site.id, key: event, name: event } })
    const goal = made?.createGoal?.goal.id ?? null
    if (goal !== null) setPrimary(goal) // it is there, whatever comes of the experiment
    return goal
  }
  const save = async (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (!audience.value || unread) return
    const primaryMetric = primary === '' ? null : await metricOf(primary)
    if (primary !== '' && primaryMetric === null) return
    const common = { name, description, primaryMetric, secondaryMetrics: [...secondary] }
    const plan = {
      variants: variants.map(({ key, name, weight }) => ({ key, name, weight: Number(weight) })),
      baseline: variants.some((variant) => variant.key === baseline) ? baseline : null,
      audience: audience.value,
      attribution,
    }
    if (experiment) {
      const { id, updatedAt: expectedUpdatedAt } = experiment
      const input = { ...common, ...(isDraft ? plan : {}), id, expectedUpdatedAt }
      if (await change(updateExperiment, { input })) go({ panel: null })
      return
    }
    const created = await change(createExperiment, { input: { ...common, ...plan, key, siteId: site.id } })
    if (created?.createExperiment)
      go({ screen: 'experiments', by: created.createExperiment.experiment.id, panel: null })
  }
  return (
    <Forms value={{ shapes, filterTypes, faults }}>
      <form className="stack" noValidate onSubmit={save}>
        <TextField label={words.name} value={name} onChange={setName} required faults={faultsOf('name')} />
        {!experiment && (
          <TextField
            label={words.key}
            help={words.experimentKeyHelp}
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
        {isDraft && (
          <Variants
            variants={variants}
            onVariants={setVariants}
            baseline={baseline}
            onBaseline={setBaseline}
            faults={[...faultsOf('variants'), ...(tried && unread ? [words.weightNeeded] : [])]}
          />
        )}
        <Metrics primary={primary} onPrimary={setPrimary} secondary={secondary} onSecondary={setSecondary} />
        {isDraft && (
          <>
            <div className="field">
              <label htmlFor={id}>{words.attribution}</label>
              <select
                id={id}
                value={attribution}
                onChange={({ target }) => setAttribution(target.value as Experiment['attribution'])}
              >
                {(['SESSION', 'EXPERIMENT'] as const).map((value) => (
                  <option key={value} value={value}>
                    {words.attributions[value]}
                  </option>
                ))}
              </select>
            </div>
            <Filters list={audience} path="audience" title={words.audience} help={words.audienceHelp} />
          </>
        )}
        <Problems problems={unplaced} />
        {tried && audience.missing.length > 0 && (
          <p className="notice" role="alert">
            {words.invalid}
          </p>
        )}
        <p>
          <button type="submit" className="primary" disabled={busy}>
            {busy ? words.saving : experiment ? words.save : words.create}
          </button>
        </p>
      </form>
    </Forms>
  )
}

const faultOf = (problem: Problem): Fault => ({ path: problem.field.replace(/^input\./, ''), message: bare(problem) })

interface VariantsProps {
  variants: readonly EditedVariant[]
  onVariants: (variants: readonly EditedVariant[]) => void
  baseline: string | null
  onBaseline: (key: string) => void
  faults: readonly string[]
}

const mostVariants = 20

function Variants({ variants, onVariants, baseline, onBaseline, faults }: VariantsProps) {
  const id = useId()
  const set = (place: number, changed: Partial<EditedVariant>) =>
    onVariants(variants.map((variant) => (variant.place === place ? { ...variant, ...changed } : variant)))
  const add = () => {
    const place = Math.max(-1, ...variants.map((variant) => variant.place)) + 1
    onVariants([...variants, { place, key: '', name: '', weight: '1' }])
  }
  const isBaseline = (variant: EditedVariant, i: number) =>
    variants.some(({ key }) => key === baseline) ? variant.key === baseline : i === 0
  return (
    <fieldset className="box stack">
      <legend>{words.variants}</legend>
      {faults.length > 0 && <p className="bad">{[...new Set(faults)].join('; ')}</p>}
      {variants.map((variant, i) => {
        const called = words.variantNumber(i + 1)
        return (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset within one needs a legend, which would stand in its own row.
          <div key={variant.place} className="row" role="group" aria-label={called}>
            <label className="field">
              <span className="faint">{words.key}</span>
              <input
                type="text"
                aria-label={`${called}: ${words.key}`}
                value={variant.key}
                onChange={({ target }) => set(variant.place, { key: target.value })}
              />
            </label>
            <label className="field">
              <span className="faint">{words.name}</span>
              <input
                type="text"
                aria-label={`${called}: ${words.name}`}
                value={variant.name}
                onChange={({ target }) => set(variant.place, { name: target.value })}
              />
            </label>
            <label className="field">
              <span className="faint">{words.weight}</span>
              <input
                type="text"
                inputMode="decimal"
                size={5}
                aria-label={`${called}: ${words.weight}`}
                value={variant.weight}
                onChange={({ target }) => set(variant.place, { weight: target.value })}
              />
            </label>
            <label className="row">
              <input type="radio" name={id} checked={isBaseline(variant, i)} onChange={() => onBaseline(variant.key)} />
              {words.baseline}
            </label>
            <button
              type="button"
              aria-label={words.remove(called)}
              onClick={() => onVariants(variants.filter(({ place }) => place !== variant.place))}
            >
              ×
            </button>
          </div>
        )
      })}
      {variants.length < mostVariants && (
        <p>
          <button type="button" onClick={add}>
            + {words.addVariant}
          </button>
        </p>
      )}
    </fieldset>
  )
}

const askEvents = graphql(`
  query MetricEvents($siteId: ID!) {
    site(id: $siteId) {
      id
      events(first: 500) { nodes { id name } }
    }
  }
`)

interface MetricsProps {
  primary: string
  onPrimary: (id: string) => void
  secondary: readonly string[]
  onSecondary: (ids: readonly string[]) => void
}

/** The goals that decide and that are watched. An event that is no goal yet can decide, too: it becomes one. */
function Metrics({ primary, onPrimary, secondary, onSecondary }: MetricsProps) {
  const { site } = useSite()
  const id = useId()
  const { data } = useAsk(askEvents, { siteId: site.id })
  const goals = goalsOf(site).filter((goal) => !goal.archived || goal.id === primary || secondary.includes(goal.id))
  const keys = new Set(goalsOf(site).map(({ key }) => key))
  const events = (data?.site?.events?.nodes ?? []).filter(({ name }) => !keys.has(name))
  return (
    <>
      <div className="field">
        <label htmlFor={id}>{words.primaryMetric}</label>
        <select id={id} value={primary} onChange={({ target }) => onPrimary(target.value)}>
          <option value="">{words.choose}</option>
          <optgroup label={words.goals}>
            {goals.map((goal) => (
              <option key={goal.id} value={goal.id}>
                {goal.name}
              </option>
            ))}
          </optgroup>
          {events.length > 0 && (
            <optgroup label={words.eventsThatAreNoGoals}>
              {events.map(({ id, name }) => (
                <option key={id} value={eventPrefix + name}>
                  {name}
                </option>
              ))}
            </optgroup>
          )}
        </select>
      </div>
      {goals.length > 1 && (
        <fieldset className="box stack">
          <legend>{words.secondaryMetrics}</legend>
          {goals
            .filter((goal) => goal.id !== primary)
            .map((goal) => (
              <label key={goal.id} className="row">
                <input
                  type="checkbox"
                  checked={secondary.includes(goal.id)}
                  onChange={({ target }) =>
                    onSecondary(
                      target.checked ? [...secondary, goal.id] : secondary.filter((other) => other !== goal.id),
                    )
                  }
                />
                <bdi>{goal.name}</bdi>
              </label>
            ))}
        </fieldset>
      )}
    </>
  )
}
