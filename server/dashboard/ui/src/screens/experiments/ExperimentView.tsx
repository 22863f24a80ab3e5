import { useId, useState } from 'react'
import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { useLive } from '../../api/live'
import { Confirm } from '../../parts/Confirm'
import { Facts } from '../../parts/Facts'
import { count, dayOf, pValue, share, timeOfDay } from '../../parts/format'
import { Moment } from '../../parts/Moment'
import { Problems } from '../../parts/Problems'
import { shownSegments } from '../../parts/segments'
import { Title } from '../../parts/Title'
import { useSite, useView, ViewLink } from '../../parts/view'
import { inputsOf, useWithin, WithinSelect } from '../../parts/WithinSelect'
import { isolate, listed, words } from '../../parts/words'
import { Days } from './Days'
import { Densities } from './Densities'
import { MetricTable, Reasons } from './MetricTable'
import { RestOfPlan } from './Plan'
import {
  askExperiment,
  askMore,
  type Experiment,
  experimentOf,
  followResults,
  type Metric,
  moreOf,
  type Results,
  startExperiment,
  stopExperiment,
} from './results'
import { SegmentTable } from './SegmentTable'

/** An experiment's results, in the order in which they should be read: whether they are valid, what to do, and why. */
export function ExperimentView({ id }: { id: string }) {
  const { data, problems, stale } = useAsk(askExperiment, { id })
  const experiment = experimentOf(data?.node)
  return (
    <div className="stack">
      <p>
        <ViewLink to={{ by: '', panel: null }}>{words.allExperiments}</ViewLink>
      </p>
      <Problems problems={problems} />
      {experiment ? (
        <Opened experiment={experiment} />
      ) : (
        problems.length === 0 && (stale ? <p role="status">{words.loading}</p> : <h1>{words.gone}</h1>)
      )}
    </div>
  )
}

function Opened({ experiment }: { experiment: Experiment }) {
  const { site, mayEdit } = useSite()
  return (
    <>
      <Title text={experiment.name} site={site.name} />
      <div>
        <h1>
          <bdi>{experiment.name}</bdi>
        </h1>
        <p className="faint">{words.statuses[experiment.status]}</p>
      </div>
      <About experiment={experiment} />
      {mayEdit && experiment.status !== 'ARCHIVED' && <Steps experiment={experiment} />}
      {experiment.status === 'DRAFT' ? <p>{words.draftHasNoResults}</p> : <Outcome experiment={experiment} />}
    </>
  )
}

function About({ experiment }: { experiment: Experiment }) {
  const facts = [
    [words.key, experiment.key],
    [words.began, experiment.startedAt && <Moment at={experiment.startedAt} />],
    [words.ended, experiment.stoppedAt && <Moment at={experiment.stoppedAt} />],
    [words.primaryMetric, experiment.primaryMetric?.name],
    [words.direction, experiment.primaryMetric && words.directions[experiment.primaryMetric.direction]],
    [words.metricChanged, experiment.metricChangedAt && <Moment at={experiment.metricChangedAt} />],
    [words.variants, experiment.variants.map(({ name, weight }) => `${isolate(name)} (${weight})`).join(', ')],
    [
      words.guardrails,
      experiment.guardrails.map(({ goal, margin }) => words.guardrail(goal.name, share(margin))).join('; '),
    ],
    [words.decidesBy, words.figuresThatDecide[experiment.decidesBy]],
    [words.monitoring, words.monitorings[experiment.monitoring]],
    [words.decideAt, experiment.decideAt && <Moment at={experiment.decideAt} />],
    [
      words.audience,
      listed(
        experiment.audience.map(({ label }) => label ?? words.unavailable),
        '; ',
      ) || words.everyone,
    ],
    [words.attribution, words.attributions[experiment.attribution]],
    [words.winner, experiment.winner?.name],
  ] as const
  return (
    <>
      {experiment.description !== '' && (
        <p>
          <bdi>{experiment.description}</bdi>
        </p>
      )}
      <details>
        <summary>{words.aboutExperiment}</summary>
        <Facts facts={facts} />
      </details>
    </>
  )
}

/** What can be done next: change it, start it, stop it with a winner. */
function Steps({ experiment }: { experiment: Experiment }) {
  const { site } = useSite()
  const id = useId()
  const [winner, setWinner] = useState('')
  const [since, setSince] = useState('')
  const { problems, change } = useChange()
  const known = { id: experiment.id, expectedUpdatedAt: experiment.updatedAt }
  const start = () => change(startExperiment, { ...known, at: since === '' ? null : `${since}T00:00:00Z` })
  const stop = () => change(stopExperiment, { ...known, winner: winner === '' ? null : winner })
  return (
    <div className="stack">
      <div className="row">
        <ViewLink className="button" to={{ panel: { kind: 'experiment', id: experiment.id } }}>
          {words.edit}
        </ViewLink>
        {experiment.status === 'DRAFT' && (
          <div className="row">
            <label htmlFor={id}>{words.countsSince}</label>
            <input
              id={id}
              type="date"
              value={since}
              max={dayOf(new Date().toISOString(), site.timezone)}
              onChange={({ target }) => setSince(target.value)}
            />
            <Confirm
              text={words.start}
              label={words.start}
              question={words.confirmStart}
              tone="primary"
              onConfirm={start}
            />
          </div>
        )}
        {experiment.status === 'RUNNING' && (
          <div className="row">
            <label htmlFor={id}>{words.winner}</label>
            <select id={id} value={winner} onChange={({ target }) => setWinner(target.value)}>
              <option value="">{words.noWinner}</option>
              {experiment.variants.map(({ key, name }) => (
                <option key={key} value={key}>
                  {name}
                </option>
              ))}
            </select>
            <Confirm
              text={words.stop}
              label={words.stop}
              question={words.confirmStop(
                experiment.variants.find(({ key }) => key === winner)?.name ?? words.noWinner,
              )}
              onConfirm={stop}
            />
          </div>
        )}
      </div>
      <Problems problems={problems} />
    </div>
  )
}

function Outcome({ experiment }: { experiment: Experiment }) {
  const { site } = useSite()
  const view = useView()
  const within = useWithin()
  const filters = inputsOf(within)
  const goal = experiment.primaryMetric?.id ?? null
  const { data, problems } = useLive(followResults, { id: experiment.id, filters })
  const segments = shownSegments(site, view)
  const more = useAsk(askMore, {
    id: experiment.id,
    filters,
    // Within a segment each row is of the sessions that are in both.
    segments: within ? [] : segments.map(({ id }) => id),
    adHocSegments: within
      ? segments.map((segment) => ({ name: segment.name, filters: [...inputsOf(segment), ...filters] }))
      : null,
    goal,
  })
  const results = data?.experimentResults
  const node = moreOf(more.data?.node)
  const primary = results?.metrics.find((metric) => metric.primary)
  const days = node?.results?.metrics[0]?.variants
  return (
    <>
      <div className="row">
        <WithinSelect />
        {results && <span className="faint">{words.computedAt(timeOfDay(results.computedAt, site.timezone))}</span>}
      </div>
      <Problems problems={[...problems, ...more.problems]} />
      {results && <Validity results={results} unjoined={node?.results?.unjoinedAssignments ?? 0} />}
      {primary && (
        <>
          <Decision metric={primary} />
          <MetricTable metric={primary} />
        </>
      )}
      {goal !== null && experiment.status === 'RUNNING' && <Rest experiment={experiment} goal={goal} />}
      {goal !== null && <Densities experiment={experiment.id} goal={goal} filters={filters} />}
      {days && <Days series={days} experiment={experiment} />}
      {results?.metrics
        .filter((metric) => !metric.primary)
        .map((metric) => (
          <MetricTable key={metric.goal.id} metric={metric} />
        ))}
      {node?.breakdown && node.breakdown.length > 0 && (
        <SegmentTable
          rows={node.breakdown}
          variants={experiment.variants}
          within={within?.name ?? null}
          busy={more.stale}
        />
      )}
    </>
  )
}

/** The planner of an experiment that runs, once somebody wants it. */
function Rest({ experiment, goal }: { experiment: Experiment; goal: string }) {
  const [open, setOpen] = useState(false)
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{words.restOfPlan}</summary>
      {open && <RestOfPlan experiment={experiment} goal={goal} />}
    </details>
  )
}

interface ValidityProps {
  results: Results
  /** How many visitors were assigned and have done nothing else. */
  unjoined: number
}

function Validity({ results, unjoined }: ValidityProps) {
  const { sampleRatio, contaminated, unknownVariants, visitors } = results
  const checks = [
    sampleRatio.mismatch ? words.mismatch(pValue(sampleRatio.anytimePValue)) : null,
    contaminated > 0 ? words.contaminated(count(contaminated), count(visitors)) : null,
    unknownVariants > 0 ? words.unknownVariants(count(unknownVariants)) : null,
  ].filter((text) => text !== null)
  return (
    <section className="stack" aria-labelledby="validity">
      <h2 id="validity">{words.validity}</h2>
      {checks.length === 0 ? (
        <p className="good">{words.valid(count(visitors), pValue(sampleRatio.anytimePValue))}</p>
      ) : (
        checks.map((text) => (
          <p key={text} className={sampleRatio.mismatch ? 'notice' : 'flag'}>
            {text}
          </p>
        ))
      )}
      {unjoined > 0 && <p className="flag">{words.unjoined(count(unjoined))}</p>}
    </section>
  )
}

function Decision({ metric }: { metric: Metric }) {
  return (
    <section className="box stack" aria-labelledby="decision">
      <h2 id="decision">{words.decision}</h2>
      {metric.decision ? (
        <>
          <p>
            <strong>{words.decisions[metric.decision]}</strong>
            {metric.leader && (
              <>
                {' '}
                <span>
                  {words.leader}: <bdi>{metric.leader.name}</bdi>
                </span>
              </>
            )}
          </p>
          <Reasons metric={metric} />
        </>
      ) : (
        <p className="bad">{words.unavailable}</p>
      )}
    </section>
  )
}
