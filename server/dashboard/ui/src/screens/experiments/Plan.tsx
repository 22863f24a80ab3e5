import { type ReactNode, useId, useState } from 'react'
import { useAsk } from '../../api/ask'
import type { FilterInput } from '../../api/graphql'
import type { Problem } from '../../api/problem'
import { useRest } from '../../parts/form/suggest'
import { amount, count, percentOf, readPercent, share } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { numbers, Table, texts } from '../../parts/Table'
import { useSite } from '../../parts/view'
import { words } from '../../parts/words'
import { askPlan, askRest, type Experiment, type Plan, restOf } from './results'

/** What an experiment is to find, as somebody writes it. */
interface Aim {
  /** The smallest effect as a percentage. */
  readonly effect: string
  readonly power: number
}

const usual: Aim = { effect: '5', power: 0.8 }
const powers = [0.8, 0.9, 0.95]
const pause = 300

/** The smallest effect that can be planned for; null while the text says none. */
function effectOf(text: string): number | null {
  const effect = readPercent(text)
  return effect === null || effect === 0 || effect <= -1 ? null : effect
}

interface NewPlanProps {
  metric: string
  variants: number
  /** Null while the forms lack something. */
  audience: FilterInput[] | null
  /** Plans the look at the end of so many days. */
  onDays: (days: number) => void
}

/** Plans an experiment that has not begun, from what visitors did of late. */
export function NewPlan({ metric, variants, audience, onDays }: NewPlanProps) {
  const { site } = useSite()
  const [aim, setAim] = useState(usual)
  const effect = effectOf(useRest(aim.effect, pause))
  const { data, problems } = useAsk(
    askPlan,
    { siteId: site.id, metric, variants, effect: effect ?? 1, power: aim.power, audience: audience ?? [] },
    effect === null || audience === null,
  )
  const plan = effect === null ? null : (data?.site?.planExperiment ?? null)
  return (
    <Planner title={words.plan} aim={aim} onAim={setAim} problems={problems} plan={plan} figure={share}>
      {plan?.days != null && plan.days > 0 && (
        <p>
          <button type="button" onClick={() => onDays(plan.days ?? 0)}>
            {words.lookThen}
          </button>
        </p>
      )}
    </Planner>
  )
}

/** Plans what an experiment that runs still takes, from what its own visitors did. */
export function RestOfPlan({ experiment, goal }: { experiment: Experiment; goal: string }) {
  const [aim, setAim] = useState(usual)
  const effect = effectOf(useRest(aim.effect, pause))
  const { data, problems } = useAsk(
    askRest,
    { id: experiment.id, goal, effect: effect ?? 1, power: aim.power },
    effect === null,
  )
  const plan = effect === null ? null : restOf(data?.node)
  return (
    <Planner
      title={words.restOfPlan}
      aim={aim}
      onAim={setAim}
      // The guardrails are planned too, and some may have no rate to plan from.
      problems={plan === null ? problems : []}
      plan={plan}
      figure={experiment.decidesBy === 'VALUE' ? amount : share}
    />
  )
}

interface PlannerProps {
  title: string
  aim: Aim
  onAim: (aim: Aim) => void
  problems: readonly Problem[]
  plan: Plan | null
  /** Says the figure that the plan is made from. */
  figure: (n: number) => string
  children?: ReactNode
}

function Planner({ title, aim, onAim, problems, plan, figure, children }: PlannerProps) {
  const id = useId()
  const isWrong = effectOf(aim.effect) === null
  return (
    <section className="box stack" aria-labelledby={id}>
      <div>
        <h3 id={id}>{title}</h3>
        <p className="faint">{words.planHelp}</p>
      </div>
      <div className="row">
        <label htmlFor={`${id}-effect`}>{words.smallestEffect}</label>
        <input
          id={`${id}-effect`}
          type="text"
          inputMode="decimal"
          size={6}
          value={aim.effect}
          aria-invalid={isWrong}
          aria-describedby={isWrong ? `${id}-fault` : undefined}
          onChange={({ target }) => onAim({ ...aim, effect: target.value })}
        />
        <label htmlFor={`${id}-power`}>{words.power}</label>
        <select
          id={`${id}-power`}
          value={aim.power}
          onChange={({ target }) => onAim({ ...aim, power: Number(target.value) })}
        >
          {powers.map((power) => (
            <option key={power} value={power}>
              {percentOf(power)} %
            </option>
          ))}
        </select>
      </div>
      {isWrong && (
        <p id={`${id}-fault`} className="bad">
          {words.effectNeeded}
        </p>
      )}
      <Problems problems={problems} />
      {plan && (
        <>
          <p role="status">
            {words.planned(count(plan.visitorsPerVariant), figure(plan.figure), amount(plan.visitorsPerDay))}{' '}
            <strong>
              {plan.days === null ? words.planNever : plan.days === 0 ? words.planDone : words.planDays(plan.days)}
            </strong>
          </p>
          {children}
          <Effects effects={plan.effects ?? []} />
        </>
      )}
    </section>
  )
}

/** The smallest effect that is found after each of the next weeks. */
function Effects({ effects }: { effects: NonNullable<Plan['effects']> }) {
  return (
    <details>
      <summary>{words.effectsByWeek}</summary>
      <Table
        label={words.effectsByWeek}
        columns={[texts(words.daysFromNow), numbers(words.visitorsPerVariant), numbers(words.smallestEffectFound)]}
      >
        {effects
          .filter(({ day }) => day % 7 === 0)
          .map(({ day, visitorsPerVariant, effect }) => (
            <tr key={day}>
              <th scope="row">{day}</th>
              <td className="number">{count(visitorsPerVariant)}</td>
              <td className="number">{share(effect)}</td>
            </tr>
          ))}
      </Table>
    </details>
  )
}
