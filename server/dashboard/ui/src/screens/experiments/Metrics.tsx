import { useId } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { type Goal, goalsOf } from '../../api/site'
import { Faults } from '../../parts/Faults'
import { Problems } from '../../parts/Problems'
import { useSite } from '../../parts/view'
import { words } from '../../parts/words'

/** What begins the value of a metric that is an event and no goal yet. */
export const eventPrefix = 'event:'

/** A guardrail that is edited: the margin is a percentage until it is sent. */
export interface EditedGuardrail {
  readonly place: number
  /** The id of the goal; empty while none is chosen. */
  readonly goal: string
  readonly margin: string
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
  guardrails: readonly EditedGuardrail[]
  onGuardrails: (guardrails: readonly EditedGuardrail[]) => void
  /** What is wrong with the guardrails. */
  faults: readonly string[]
}

/** The goals that decide, that are watched, and by which no winner may be worse. An event that is no goal yet can decide, too: it becomes one. */
export function Metrics(props: MetricsProps) {
  const { primary, onPrimary, secondary, onSecondary, guardrails, onGuardrails, faults } = props
  const { site } = useSite()
  const id = useId()
  const { data, problems } = useAsk(askEvents, { siteId: site.id })
  const used = [primary, ...secondary, ...guardrails.map(({ goal }) => goal)]
  const goals = goalsOf(site).filter((goal) => !goal.archived || used.includes(goal.id))
  const others = goals.filter((goal) => goal.id !== primary)
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
      <Problems problems={problems} />
      {others.length > 0 && (
        <fieldset className="box stack">
          <legend>{words.secondaryMetrics}</legend>
          {others
            .filter(({ id }) => !guardrails.some(({ goal }) => goal === id))
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
      {others.length > 0 && (
        <Guardrails goals={others} guardrails={guardrails} onGuardrails={onGuardrails} faults={faults} />
      )}
    </>
  )
}

interface GuardrailsProps extends Pick<MetricsProps, 'guardrails' | 'onGuardrails' | 'faults'> {
  goals: readonly Goal[]
}

function Guardrails({ goals, guardrails, onGuardrails, faults }: GuardrailsProps) {
  const set = (place: number, changed: Partial<EditedGuardrail>) =>
    onGuardrails(guardrails.map((guardrail) => (guardrail.place === place ? { ...guardrail, ...changed } : guardrail)))
  const isFree = (goal: Goal, own: EditedGuardrail) =>
    guardrails.every((other) => other === own || other.goal !== goal.id)
  const add = () => {
    const place = Math.max(-1, ...guardrails.map((guardrail) => guardrail.place)) + 1
    onGuardrails([...guardrails, { place, goal: '', margin: '2' }])
  }
  return (
    <fieldset className="box stack">
      <legend>{words.guardrails}</legend>
      <p className="faint">{words.guardrailsHelp}</p>
      <Faults faults={faults} />
      {guardrails.map((guardrail, i) => {
        const called = words.guardrailNumber(i + 1)
        return (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset within one needs a legend, which would stand in its own row.
          <div key={guardrail.place} className="row" role="group" aria-label={called}>
            <label className="field">
              <span className="faint">{words.goal}</span>
              <select
                aria-label={`${called}: ${words.goal}`}
                value={guardrail.goal}
                onChange={({ target }) => set(guardrail.place, { goal: target.value })}
              >
                <option value="">{words.choose}</option>
                {goals
                  .filter((goal) => isFree(goal, guardrail))
                  .map((goal) => (
                    <option key={goal.id} value={goal.id}>
                      {goal.name}
                    </option>
                  ))}
              </select>
            </label>
            <label className="field">
              <span className="faint">{words.margin}</span>
              <input
                type="text"
                inputMode="decimal"
                size={6}
                aria-label={`${called}: ${words.margin}`}
                value={guardrail.margin}
                onChange={({ target }) => set(guardrail.place, { margin: target.value })}
              />
            </label>
            <button
              type="button"
              aria-label={words.remove(called)}
              onClick={() => onGuardrails(guardrails.filter(({ place }) => place !== guardrail.place))}
            >
              ×
            </button>
          </div>
        )
      })}
      {guardrails.length < goals.length && (
        <p>
          <button type="button" onClick={add}>
            + {words.addGuardrail}
          </button>
        </p>
      )}
    </fieldset>
  )
}
