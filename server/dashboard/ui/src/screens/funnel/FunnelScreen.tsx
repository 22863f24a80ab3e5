import { useId } from 'react'
import { useLive } from '../../api/live'
import { type Goal, goalsOf } from '../../api/site'
import { Bar } from '../../parts/Bar'
import { count, none, points, share } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { RangePicker } from '../../parts/RangePicker'
import { SegmentChips } from '../../parts/SegmentChips'
import { shownSegments } from '../../parts/segments'
import { Table, texts } from '../../parts/Table'
import { useGo, useRange, useSite, useView } from '../../parts/view'
import { words } from '../../parts/words'
import styles from './FunnelScreen.module.css'
import { type FunnelSegment, followFunnel, lostAt, type Step } from './steps'

const mostSteps = 20

/** Goals as successive steps, by segment, with what was lost at each. The steps are part of the view, so a funnel is a link. */
export default function FunnelScreen() {
  const { site } = useSite()
  const view = useView()
  const range = useRange()
  const segments = shownSegments(site, view)
  const all = goalsOf(site)
  const steps = view.goals.flatMap((id) => all.find((goal) => goal.id === id) ?? [])
  const asks = steps.length > 0 && segments.length > 0
  const { data, problems, stale } = useLive(
    followFunnel,
    {
      siteId: site.id,
      steps: steps.map(({ id }) => id),
      segments: segments.map(({ id }) => id),
      range,
      compare: view.compare ? 'PREVIOUS_PERIOD' : null,
    },
    !asks,
  )
  const columns = segments.map(({ id, name }) => ({
    id,
    name,
    of: data?.funnel.segments.find(({ segment }) => segment.id === id),
  }))
  return (
    <div className="stack">
      <h1>{words.screens.funnel}</h1>
      <SegmentChips />
      <RangePicker />
      <Steps steps={steps} all={all} />
      <Problems problems={problems.filter(({ code }) => code !== 'UNAVAILABLE')} />
      {!asks && <p>{steps.length === 0 ? words.noSteps : words.noSegments}</p>}
      {asks && (
        <Table
          label={words.funnelCaption}
          columns={[texts(words.step), ...columns.map(({ id, name }) => texts(<bdi key={id}>{name}</bdi>))]}
          className={styles.table}
          busy={stale}
        >
          {steps.map((goal, i) => (
            <tr key={goal.id}>
              <th scope="row">
                {i + 1}. <bdi>{goal.name}</bdi>
              </th>
              {columns.map(({ id, of }) => (
                <td key={id}>{of?.steps[i] ? <Cell of={of} step={of.steps[i]} at={i} /> : none}</td>
              ))}
            </tr>
          ))}
        </Table>
      )}
    </div>
  )
}

function Cell({ of, step, at }: { of: FunnelSegment; step: Step; at: number }) {
  if (step.sessions === null) return <span className="bad">{words.unavailable}</span>
  const lost = lostAt(of, at)
  const difference = step.comparison?.fromStartDifference
  return (
    <div className={styles.cell}>
      <span>
        <strong>{count(step.sessions)}</strong> {words.fromStart(share(step.fromStart))}
      </span>
      <Bar share={step.fromStart} />
      <span className="faint">
        {words.fromPrevious(share(step.fromPrevious))}
        {lost !== null && `; ${words.lost(count(lost))}`}
      </span>
      {step.comparison && (
        <span className="faint">
          {words.before(share(step.comparison.fromStart))} {difference && points(difference.difference)}
          {difference?.significant && `, ${words.moreThanChance}`}
        </span>
      )}
    </div>
  )
}

/** The steps in their order, each of which can move up or go, and another one. */
function Steps({ steps, all }: { steps: readonly Goal[]; all: readonly Goal[] }) {
  const go = useGo()
  const id = useId()
  const ids = steps.map((goal) => goal.id)
  const others = all.filter((goal) => !goal.archived && !ids.includes(goal.id))
  const swap = (i: number) => ids.map((id, n) => (n === i - 1 ? ids[i] : n === i ? ids[i - 1] : id) ?? id)
  return (
    <section className="box stack" aria-label={words.steps}>
      {steps.length > 0 && (
        <ol className="stack">
          {steps.map((goal, i) => (
            <li key={goal.id} className="row">
              <span>
                {i + 1}. <bdi>{goal.name}</bdi>
              </span>
              {i > 0 && (
                <button
                  type="button"
                  aria-label={words.named(words.moveUp, goal.name)}
                  onClick={() => go({ goals: swap(i) })}
                >
                  ↑
                </button>
              )}
              <button
                type="button"
                aria-label={words.remove(goal.name)}
                onClick={() => go({ goals: ids.filter((other) => other !== goal.id) })}
              >
                ×
              </button>
            </li>
          ))}
        </ol>
      )}
      {steps.length < mostSteps && others.length > 0 && (
        <div className="row">
          <label htmlFor={id}>{words.addStep}</label>
          <select id={id} value="" onChange={({ target }) => go({ goals: [...ids, target.value] })}>
            <option value="">{words.choose}</option>
            {others.map((goal) => (
              <option key={goal.id} value={goal.id}>
                {goal.name}
              </option>
            ))}
          </select>
        </div>
      )}
    </section>
  )
}
