import { type CSSProperties, memo, useId, useMemo } from 'react'
import type { Goal, Segment } from '../../api/site'
import { panelWriter, type View } from '../../parts/address'
import { useNarrow } from '../../parts/narrow'
import { Scroll } from '../../parts/Scroll'
import { useInSight } from '../../parts/sight'
import { words } from '../../parts/words'
import { CellLink } from './CellLink'
import type { Card, Cell } from './cards'
import styles from './HomeScreen.module.css'

interface CellsProps {
  /** The view that the cells add a panel to. */
  view: View
  goals: readonly Goal[]
  segments: readonly Segment[]
  cards: readonly Card[] | undefined
  busy: boolean
}

/** Goals × segments: a table or, on a phone, a card for each goal. */
export const Cells = memo(function Cells({ view, goals, segments, cards, busy }: CellsProps) {
  const narrow = useNarrow()
  const id = useId()
  const write = useMemo(() => panelWriter(view), [view])
  const byGoal = useMemo(() => new Map(cards?.map(({ goal, cells }) => [goal.id, cells])), [cards])
  const everyone = segments.find(({ filters }) => filters.length === 0)
  const common = { id, write, segments, everyone }
  const of = (goal: Goal) => ({ ...common, goal, cells: byGoal.get(goal.id) })
  return (
    <>
      <span id={`${id}-why`} hidden>
        {words.why}
      </span>
      {narrow ? (
        <ul className={styles.cards} aria-label={words.goals} aria-busy={busy}>
          {goals.map((goal) => (
            <GoalCard key={goal.id} {...of(goal)} />
          ))}
        </ul>
      ) : (
        <Scroll label={words.goalsBySegment}>
          <table
            className={styles.table}
            style={{ '--columns': segments.length } as CSSProperties}
            data-compare={view.compare}
            aria-busy={busy}
          >
            <caption className="hidden">{words.goalsBySegment}</caption>
            <thead>
              <tr>
                <th scope="col">{words.goal}</th>
                {segments.map((segment) => (
                  <th key={segment.id} scope="col">
                    <bdi id={`${id}-${segment.id}`}>{segment.name}</bdi>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {goals.map((goal) => (
                <Row key={goal.id} {...of(goal)} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </>
  )
})

interface GoalProps {
  /** Begins the ids of the table's parts. */
  id: string
  write: ReturnType<typeof panelWriter>
  goal: Goal
  segments: readonly Segment[]
  /** The segment of every session; undefined if that is no column. */
  everyone: Segment | undefined
  /** Undefined before the first answer. */
  cells: readonly Cell[] | undefined
}

const Row = memo(function Row(props: GoalProps) {
  const { id, goal, segments } = props
  const [cells, ref] = useInSight(props.cells)
  const link = useLink({ ...props, cells })
  return (
    <tr ref={ref}>
      <th scope="row">
        <GoalName id={`${id}-${goal.id}`} goal={goal} />
      </th>
      {segments.map((segment) => (
        <td key={segment.id}>{link(segment, `${id}-${segment.id}`)}</td>
      ))}
    </tr>
  )
})

const GoalCard = memo(function GoalCard(props: GoalProps) {
  const { id, goal, segments } = props
  const [cells, ref] = useInSight(props.cells)
  const link = useLink({ ...props, cells })
  return (
    <li ref={ref} className="box">
      <h2>
        <GoalName id={`${id}-${goal.id}`} goal={goal} />
      </h2>
      <dl>
        {segments.map((segment) => {
          const named = `${id}-${goal.id}-${segment.id}-name`
          return (
            <div key={segment.id}>
              <dt>
                <bdi id={named}>{segment.name}</bdi>
              </dt>
              <dd>{link(segment, named)}</dd>
            </div>
          )
        })}
      </dl>
    </li>
  )
})

/** Makes the links of a goal's cells, of each segment by the id of what has its name. */
function useLink({ id, write, goal, everyone, cells }: GoalProps) {
  const bySegment = useMemo(() => new Map(cells?.map((cell) => [cell.segment.id, cell])), [cells])
  const all = (everyone && bySegment.get(everyone.id)?.conversionRate) ?? null
  return (segment: Segment, named: string) => {
    const own = `${id}-${goal.id}-${segment.id}`
    return (
      <CellLink
        id={own}
        namedBy={`${id}-${goal.id} ${named} ${own} ${id}-why`}
        href={write({ kind: 'why', goal: goal.id, segment: segment.id })}
        cell={bySegment.get(segment.id)}
        all={segment === everyone ? null : all}
      />
    )
  }
}

function GoalName({ id, goal }: { id: string; goal: Goal }) {
  return (
    <>
      <bdi id={id}>{goal.name}</bdi>
      <span className={styles.key}>
        <bdi>{goal.key}</bdi>
      </span>
    </>
  )
}
