import { type FormEvent, useState } from 'react'
import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { createGoal } from '../../api/definitions'
import { Drawer } from '../../parts/Drawer'
import type { Fault } from '../../parts/form/draft'
import { Filters, useFilterList } from '../../parts/form/Filters'
import { Forms } from '../../parts/form/Form'
import type { FilterType, Shapes } from '../../parts/form/shape'
import { useShapes } from '../../parts/form/useShapes'
import { percentOf, readPercent } from '../../parts/format'
import { faultOf, faultsIn, Problems, unplacedIn } from '../../parts/Problems'
import { SelectField } from '../../parts/SelectField'
import { TextField } from '../../parts/TextField'
import { useGo, useSite } from '../../parts/view'
import { words } from '../../parts/words'
import { type EditedGuardrail, eventPrefix, Metrics } from './Metrics'
import { Monitor } from './Monitor'
import { NewPlan } from './Plan'
import { askExperiment, createExperiment, type Experiment, experimentOf, updateExperiment } from './results'
import { type EditedVariant, Variants } from './Variants'

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

interface EditorProps {
  experiment: Experiment | null
  shapes: Shapes
  filterTypes: readonly FilterType[]
}

const fresh: readonly EditedVariant[] = [
  { place: 0, key: 'control', name: words.controlName, weight: '1' },
  { place: 1, key: 'treatment', name: words.treatmentName, weight: '1' },
]

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
  const [guardrails, setGuardrails] = useState<readonly EditedGuardrail[]>(
    experiment?.guardrails.map(({ goal, margin }, place) => ({ place, goal: goal.id, margin: percentOf(margin) })) ??
      [],
  )
  const [decidesBy, setDecidesBy] = useState(experiment?.decidesBy ?? 'RATE')
  const [monitoring, setMonitoring] = useState(experiment?.monitoring ?? 'CONTINUOUS')
  const [decideAt, setDecideAt] = useState(experiment?.decideAt ?? null)
  const [attribution, setAttribution] = useState(experiment?.attribution ?? 'EXPERIMENT')
  const audience = useFilterList(shapes, 'audience', experiment?.audience.map(({ inputs }) => inputs) ?? [])
  const [tried, setTried] = useState(false)
  const { busy, problems, change } = useChange()

  const unread = variants.some(({ weight }) => !(Number(weight) > 0))
  const margins = guardrails.map(({ margin }) => readPercent(margin))
  const unguarded = guardrails.some(({ goal }, i) => goal === '' || margins[i] === null)
  const faults: readonly Fault[] = [
    ...(tried ? audience.missing : []),
    ...problems.filter(({ field }) => field.startsWith('input.audience')).map(faultOf),
  ]
  const faultsOf = (field: string) => faultsIn(problems, field)
  const unplaced = unplacedIn(problems, placed)

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
    if (!audience.value || unread || unguarded) return
    const primaryMetric = primary === '' ? null : await metricOf(primary)
    if (primary !== '' && primaryMetric === null) return
    const common = {
      name,
      description,
      primaryMetric,
      secondaryMetrics: [...secondary],
      guardrails: guardrails.map(({ goal }, i) => ({ goal, margin: margins[i] ?? 0 })),
    }
    const plan = {
      variants: variants.map(({ key, name, weight }) => ({ key, name, weight: Number(weight) })),
      baseline: variants.some((variant) => variant.key === baseline) ? baseline : null,
      audience: audience.value,
      attribution,
      decidesBy,
      monitoring,
      decideAt: monitoring === 'FIXED_HORIZON' ? decideAt : null,
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
        <Metrics
          primary={primary}
          onPrimary={setPrimary}
          secondary={secondary}
          onSecondary={setSecondary}
          guardrails={guardrails}
          onGuardrails={setGuardrails}
          faults={[...faultsOf('guardrails'), ...(tried && unguarded ? [words.guardrailNeeded] : [])]}
        />
        {isDraft && (
          <>
            <SelectField
              label={words.decidesBy}
              value={decidesBy}
              choices={words.figuresThatDecide}
              onChange={setDecidesBy}
              faults={faultsOf('decidesBy')}
            />
            <SelectField
              label={words.attribution}
              value={attribution}
              choices={words.attributions}
              onChange={setAttribution}
            />
            <Filters list={audience} path="audience" title={words.audience} help={words.audienceHelp} />
            <Monitor
              monitoring={monitoring}
              onMonitoring={setMonitoring}
              decideAt={decideAt}
              onDecideAt={setDecideAt}
              faults={[...faultsOf('monitoring'), ...faultsOf('decideAt')]}
            />
            {primary !== '' && !primary.startsWith(eventPrefix) && variants.length > 1 && (
              <NewPlan
                metric={primary}
                variants={variants.length}
                audience={audience.value}
                onDays={(days) => {
                  setMonitoring('FIXED_HORIZON')
                  setDecideAt(inDays(days))
                }}
              />
            )}
          </>
        )}
        <Problems problems={unplaced} />
        {tried && (audience.missing.length > 0 || unread || unguarded) && (
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

/** The fields of the input that the form has a place for what is wrong with them. */
const placed = [
  'name',
  'key',
  'description',
  'variants',
  'guardrails',
  'decidesBy',
  'monitoring',
  'decideAt',
  'audience',
]

/** The instant so many days from now, to the minute. */
function inDays(days: number): string {
  const at = new Date()
  at.setUTCDate(at.getUTCDate() + days)
  at.setUTCSeconds(0, 0)
  return at.toISOString()
}
