import { amount, change, count, none, pValue, share } from '../../parts/format'
import { Sentence } from '../../parts/Sentence'
import { numbers, Table, texts } from '../../parts/Table'
import { words } from '../../parts/words'
import styles from './Experiments.module.css'
import type { Metric, VariantFigures } from './results'
import { type Axis, axisOf, bound, within } from './uplift'

interface Estimate {
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** What each variant's visitors did on a metric. The intervals of the uplifts stand on one axis. */
export function MetricTable({ metric }: { metric: Metric }) {
  const variants = metric.variants ?? []
  const guards = metric.role === 'GUARDRAIL'
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
        <Table
          label={title}
          columns={[
            texts(words.variant),
            numbers(words.conversions),
            numbers(words.rate),
            texts(
              <>
                {words.uplift} <span className="small">{words.axis(change(axis.low), change(axis.high))}</span>
              </>,
            ),
            numbers(words.probabilityToBeBest),
            numbers(words.probabilityToBeatBaseline),
            numbers(words.expectedLoss),
            numbers(words.adjustedPValue),
            ...(guards ? [numbers(words.withinMargin)] : []),
            ...(hasValue ? [numbers(words.valuePerVisitor)] : []),
          ]}
        >
          {variants.map((of) => (
            <Row key={of.variant.key} of={of} axis={axis} guards={guards} hasValue={hasValue} />
          ))}
        </Table>
      )}
    </div>
  )
}

/** Why a decision is what it is, in the server's words. */
export function Reasons({ metric }: { metric: Metric }) {
  const names = metric.variants?.map(({ variant }) => variant.name)
  return (
    <ul>
      {metric.reasons?.map(({ code, message }) => (
        <li key={`${code} ${message}`}>
          <Sentence text={message} names={names} />
        </li>
      ))}
    </ul>
  )
}

interface RowProps {
  of: VariantFigures
  axis: Axis
  guards: boolean
  hasValue: boolean
}

function Row({ of, axis, guards, hasValue }: RowProps) {
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
            <span className="small">{words.interval95(share(conversionRate.low), share(conversionRate.high))}</span>
          </>
        )}
      </td>
      <td className={styles.uplift}>
        {uplift ? (
          <>
            {change(uplift.mean)}
            <span className="small">{words.interval95(change(uplift.low), change(uplift.high))}</span>
            {bounds && <span className="small">{words.atAnyTime(bound(bounds.low), bound(bounds.high))}</span>}
            <Interval of={uplift} axis={axis} />
          </>
        ) : (
          none
        )}
      </td>
      <td className="number">{share(of.probabilityToBeBest)}</td>
      <td className="number">{share(of.probabilityToBeatBaseline)}</td>
      <td className="number">{share(of.expectedLoss)}</td>
      <td className="number">{pValue(of.adjustedPValue)}</td>
      {guards && <td className="number">{share(of.probabilityWithinMargin)}</td>}
      {hasValue && (
        <td className="number">
          {value ? (
            <>
              {amount(value.perVisitor.mean)}
              {value.uplift && <span className="small">{change(value.uplift.mean)}</span>}
            </>
          ) : (
            none
          )}
        </td>
      )}
    </tr>
  )
}

function Interval({ of, axis }: { of: Estimate; axis: Axis }) {
  const x = (n: number) => ((within(axis, n) - axis.low) / (axis.high - axis.low)) * 200
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
