import { amount, change, count, none, share } from '../../parts/format'
import { Scroll } from '../../parts/Scroll'
import { words } from '../../parts/words'
import styles from './Experiments.module.css'
import type { Metric, VariantFigures } from './results'

interface Estimate {
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** What each variant's visitors did on a metric. The intervals of the uplifts stand on one axis. */
export function MetricTable({ metric }: { metric: Metric }) {
  const variants = metric.variants ?? []
  const hasValue = variants.some(({ value }) => value !== null)
  const axis = axisOf(variants.flatMap(({ uplift }) => uplift ?? []))
  const title = words.roleOf[metric.role](metric.goal.name)
  return (
    <div className="stack">
      <h2>
        <bdi>{title}</bdi>
      </h2>
      {!metric.primary && metric.decision && (
        <>
          <p>
            {words.decision}: {words.decisions[metric.decision]}
          </p>
          <Reasons metric={metric} />
        </>
      )}
      {metric.variants === null ? (
        <p className="bad">{words.unavailable}</p>
      ) : (
        <Scroll label={title}>
          <table>
            <caption className="hidden">{title}</caption>
            <thead>
              <tr>
                <th scope="col">{words.variant}</th>
                <th scope="col" className="number">
                  {words.conversions}
                </th>
                <th scope="col" className="number">
                  {words.rate}
                </th>
                <th scope="col">
                  {words.uplift} <span className={styles.small}>{axis.label}</span>
                </th>
                <th scope="col" className="number">
                  {words.probabilityToBeBest}
                </th>
                <th scope="col" className="number">
                  {words.probabilityToBeatBaseline}
                </th>
                <th scope="col" className="number">
                  {words.expectedLoss}
                </th>
                {hasValue && (
                  <th scope="col" className="number">
                    {words.valuePerVisitor}
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {variants.map((of) => (
                <Row key={of.variant.key} of={of} axis={axis} hasValue={hasValue} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </div>
  )
}

/** Why a decision is what it is, in the server's words. */
export function Reasons({ metric }: { metric: Metric }) {
  return (
    <ul>
      {metric.reasons?.map(({ code, message }) => (
        <li key={`${code} ${message}`}>{message}</li>
      ))}
    </ul>
  )
}

function Row({ of, axis, hasValue }: { of: VariantFigures; axis: Axis; hasValue: boolean }) {
  const { variant, conversionRate, uplift, value } = of
  const bounds = of.anytime?.uplift
  return (
    <tr>
      <th scope="row">
        <bdi>{variant.name}</bdi>
        {variant.baseline && <span className="faint"> ({words.baseline})</span>}
      </th>
      <td className="number">{words.ofSessions(count(of.conversions), count(of.visitors))}</td>
      <td className="number">
        {of.visitors === 0 ? (
          none
        ) : (
          <>
            {share(conversionRate.mean)}
            <span className={styles.small}>
              {words.interval95(share(conversionRate.low), share(conversionRate.high))}
            </span>
          </>
        )}
      </td>
      <td className={styles.uplift}>
        {uplift ? (
          <>
            {change(uplift.mean)}
            <span className={styles.small}>{words.interval95(change(uplift.low), change(uplift.high))}</span>
            {bounds && <span className={styles.small}>{words.atAnyTime(bound(bounds.low), bound(bounds.high))}</span>}
            <Interval of={uplift} axis={axis} />
          </>
        ) : (
          none
        )}
      </td>
      <td className="number">{share(of.probabilityToBeBest)}</td>
      <td className="number">{share(of.probabilityToBeatBaseline)}</td>
      <td className="number">{share(of.expectedLoss)}</td>
      {hasValue && (
        <td className="number">
          {value ? (
            <>
              {amount(value.perVisitor.mean)}
              {value.uplift && <span className={styles.small}>{change(value.uplift.mean)}</span>}
            </>
          ) : (
            none
          )}
        </td>
      )}
    </tr>
  )
}

/** An end of an interval; the server says ±1.8e308 where nothing bounds it. */
const bound = (n: number) => (Math.abs(n) > 1e300 ? none : change(n))

/** The axis that all intervals of a table share. */
interface Axis {
  readonly low: number
  readonly high: number
  readonly label: string
}

/** An axis that has 0 and all intervals, of which those ends that are out of any proportion are cut off. */
function axisOf(estimates: readonly Estimate[]): Axis {
  const cut = (n: number) => Math.max(-1, Math.min(3, n))
  const low = Math.min(-0.1, ...estimates.map((estimate) => cut(estimate.low)))
  const high = Math.max(0.1, ...estimates.map((estimate) => cut(estimate.high)))
  return { low, high, label: words.axis(change(low), change(high)) }
}

function Interval({ of, axis }: { of: Estimate; axis: Axis }) {
  const x = (n: number) => ((Math.max(axis.low, Math.min(axis.high, n)) - axis.low) / (axis.high - axis.low)) * 200
  return (
    <svg viewBox="0 0 200 16" width="100%" height="16" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <path d={`M${x(0)} 0V16`} stroke="var(--edge)" vectorEffect="non-scaling-stroke" />
      <path
        d={`M${x(of.low)} 8H${x(of.high)}`}
        stroke="var(--accent)"
        strokeWidth="3"
        vectorEffect="non-scaling-stroke"
      />
      <path d={`M${x(of.mean)} 2V14`} stroke="var(--accent)" strokeWidth="3" vectorEffect="non-scaling-stroke" />
    </svg>
  )
}
