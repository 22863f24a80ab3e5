import { type ReactNode, useId, useState } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { useLive } from '../../api/live'
import { type Goal, goalsOf } from '../../api/site'
import { FilterChips } from '../../parts/FilterChips'
import { rowFilter } from '../../parts/form/rowFilter'
import { useShapes } from '../../parts/form/useShapes'
import { change, count, duration, none, points, share } from '../../parts/format'
import { More } from '../../parts/More'
import { Problems } from '../../parts/Problems'
import { RangePicker } from '../../parts/RangePicker'
import { RowCount } from '../../parts/RowCount'
import { numbers, Table, texts } from '../../parts/Table'
import { useGo, useRange, useSite, useView, ViewLink } from '../../parts/view'
import { useWithin, WithinSelect } from '../../parts/WithinSelect'
import { words } from '../../parts/words'
import styles from './BreakdownsScreen.module.css'
import {
  type Dimension,
  dimensionGroups,
  followBreakdown,
  isKeyed,
  type Order,
  type Row,
  readBy,
  readOrder,
  writeOrder,
} from './rows'

const page = 50
const mostRows = 500
const mostColumns = 8

/** The sessions by their values, with goals as columns: top pages, referrers, countries, campaigns, devices. */
export default function BreakdownsScreen() {
  const { site } = useSite()
  const view = useView()
  const range = useRange()
  const within = useWithin()
  const [first, setFirst] = useState(page)
  const { dimension, key } = readBy(view.by)
  const kept = goalsOf(site).filter(({ archived }) => !archived)
  const chosen = kept.filter(({ id }) => view.goals.includes(id))
  const goals = chosen.length > 0 ? chosen : kept.slice(0, mostColumns)
  const ids = goals.map(({ id }) => id)
  const order = readOrder(view.order, ids)
  const unfinished = isKeyed(dimension) && key === ''
  const { data, problems, stale } = useLive(
    followBreakdown,
    {
      siteId: site.id,
      by: [dimension],
      keys: isKeyed(dimension) ? [key] : [],
      segments: within ? [within.id] : [],
      filters: [...view.filters],
      goals: ids,
      range,
      compare: view.compare ? 'PREVIOUS_PERIOD' : null,
      orderBy: order,
      first,
    },
    unfinished,
  )
  const found = unfinished ? undefined : data?.breakdown
  return (
    <div className="stack">
      <h1>{words.screens.breakdowns}</h1>
      <div className="row">
        <By dimension={dimension} keyOf={key} />
        <WithinSelect />
        <RangePicker />
        <Columns goals={kept} shown={ids} />
      </div>
      <FilterChips />
      <Problems problems={problems} />
      {unfinished && <p>{words.needsKey}</p>}
      {found && <RowCount shown={found.nodes.length} all={found.totalCount} />}
      {found && found.nodes.length > 0 && (
        <Rows rows={found.nodes} goals={goals} order={order} dimension={dimension} keyOf={key} busy={stale} />
      )}
      <More
        left={found?.pageInfo.hasNextPage === true && first < mostRows}
        onMore={() => setFirst(Math.min(mostRows, first * 3))}
      />
    </div>
  )
}

const askExperiments = graphql(`
  query ExperimentKeys($siteId: ID!) {
    site(id: $siteId) {
      id
      experiments(first: 500) { nodes { id key name } }
    }
  }
`)

/** Chooses the dimension, and the key of one that has keys. */
function By({ dimension, keyOf }: { dimension: Dimension; keyOf: string }) {
  const go = useGo()
  const id = useId()
  return (
    <div className="row">
      <label htmlFor={id}>{words.by}</label>
      <select id={id} value={dimension} onChange={({ target }) => go({ by: target.value, order: '' })}>
        {Object.entries(dimensionGroups).map(([group, members]) => (
          <optgroup key={group} label={words.dimensionGroups[group as keyof typeof dimensionGroups]}>
            {members.map((member) => (
              <option key={member} value={member}>
                {words.dimensions[member]}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      {dimension === 'PROPERTY' && <PropertyKey key={keyOf} value={keyOf} />}
      {dimension === 'VARIANT' && <ExperimentKey value={keyOf} />}
    </div>
  )
}

function PropertyKey({ value }: { value: string }) {
  const go = useGo()
  const [text, setText] = useState(value)
  const choose = () => {
    if (text !== value) go({ by: `PROPERTY:${text}` })
  }
  return (
    <input
      type="text"
      aria-label={words.propertyKey}
      placeholder={words.propertyKey}
      value={text}
      onChange={({ target }) => setText(target.value)}
      onBlur={choose}
      onKeyDown={({ key }) => key === 'Enter' && choose()}
    />
  )
}

function ExperimentKey({ value }: { value: string }) {
  const { site } = useSite()
  const go = useGo()
  const { data, problems } = useAsk(askExperiments, { siteId: site.id })
  return (
    <>
      <select
        aria-label={words.experiment}
        value={value}
        onChange={({ target }) => go({ by: `VARIANT:${target.value}` })}
      >
        <option value="">{words.choose}</option>
        {data?.site?.experiments?.nodes.map(({ id, key, name }) => (
          <option key={id} value={key}>
            {name}
          </option>
        ))}
      </select>
      <Problems problems={problems} />
    </>
  )
}

/** Chooses the goals that are columns. */
function Columns({ goals, shown }: { goals: readonly Goal[]; shown: readonly string[] }) {
  const go = useGo()
  if (goals.length === 0) return null
  return (
    <details className={styles.columns}>
      <summary>{words.goalColumns(shown.length)}</summary>
      <fieldset className={styles.menu}>
        <legend className="hidden">{words.goals}</legend>
        {goals.map(({ id, name }) => (
          <label key={id} className="row">
            <input
              type="checkbox"
              checked={shown.includes(id)}
              onChange={({ target }) =>
                go({ goals: target.checked ? [...shown, id] : shown.filter((other) => other !== id) })
              }
            />
            <bdi>{name}</bdi>
          </label>
        ))}
      </fieldset>
    </details>
  )
}

interface RowsProps {
  rows: readonly Row[]
  goals: readonly Goal[]
  order: Order
  dimension: Dimension
  keyOf: string
  busy: boolean
}

function Rows({ rows, goals, order, dimension, keyOf, busy }: RowsProps) {
  const view = useView()
  const { shapes, filterTypes } = useShapes()
  const value = (text: string) => {
    const shown = text === '' ? words.noValue : dimension === 'WEEKDAY' ? words.weekday(text) : text
    const filter = text !== '' && shapes ? rowFilter(shapes, filterTypes, dimension, keyOf, text) : null
    if (!filter) return <bdi>{shown}</bdi>
    return (
      <ViewLink to={{ filters: [...view.filters, filter] }} aria-label={words.only(shown)}>
        <bdi>{shown}</bdi>
      </ViewLink>
    )
  }
  const head = (of: HeadProps['of'], title: ReactNode) => {
    const direction = order.by === of.by && order.goal === of.goal ? order.direction : null
    return [
      <Head key={of.by} of={of} direction={direction}>
        {title}
      </Head>,
      direction,
    ] as const
  }
  return (
    <Table
      label={words.breakdownBy(words.dimensions[dimension])}
      columns={[
        texts(...head({ by: 'VALUES', goal: null }, words.dimensions[dimension])),
        numbers(...head({ by: 'SESSIONS', goal: null }, words.sessions)),
        numbers(...head({ by: 'VISITORS', goal: null }, words.visitors)),
        numbers(...head({ by: 'BOUNCE_RATE', goal: null }, words.bounceRate)),
        numbers(...head({ by: 'MEDIAN_DURATION', goal: null }, words.medianLength)),
        ...goals.map(({ id, name }) => numbers(...head({ by: 'CONVERSION_RATE', goal: id }, <bdi>{name}</bdi>))),
      ]}
      busy={busy}
    >
      {rows.map((row) => (
        <tr key={row.values.join('\n')}>
          <th scope="row">{value(row.values[0] ?? '')}</th>
          <td className="number">
            {count(row.sessions)}
            {row.comparison && <span className="small">{change(row.comparison.sessionsChange)}</span>}
          </td>
          <td className="number">{count(row.visitors)}</td>
          <td className="number">{share(row.bounceRate)}</td>
          <td className="number">{duration(row.medianDurationSeconds)}</td>
          {goals.map(({ id }) => (
            <GoalFigures key={id} of={row.goals.find(({ goal }) => goal.id === id)} />
          ))}
        </tr>
      ))}
    </Table>
  )
}

function GoalFigures({ of }: { of: Row['goals'][number] | undefined }) {
  if (!of) return <td className="number">{none}</td>
  const difference = of.comparison?.rateDifference
  return (
    <td className="number">
      {of.conversions === null ? words.unavailable : share(of.conversionRate)}
      <span className="small">{count(of.conversions)}</span>
      {difference && (
        <span className="small">
          {points(difference.difference)}
          {difference.significant && `, ${words.moreThanChance}`}
        </span>
      )}
    </td>
  )
}

interface HeadProps {
  of: Pick<Order, 'by' | 'goal'>
  /** How the rows are ordered by it; null if they are not. */
  direction: Order['direction'] | null
  children: ReactNode
}

/** The head of a column, which orders the rows by it: what is most comes first, but values begin with A. */
function Head({ of, direction, children }: HeadProps) {
  const go = useGo()
  const next = direction === null ? (of.by === 'VALUES' ? 'ASCENDING' : 'DESCENDING') : opposite[direction]
  return (
    <button type="button" className={styles.head} onClick={() => go({ order: writeOrder({ ...of, direction: next }) })}>
      {children}
      {direction && <span aria-hidden="true">{arrows[direction]}</span>}
    </button>
  )
}

const opposite = { ASCENDING: 'DESCENDING', DESCENDING: 'ASCENDING' } as const
const arrows = { ASCENDING: '↑', DESCENDING: '↓' } as const
