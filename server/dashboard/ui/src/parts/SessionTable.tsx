import type { ResultOf } from 'gql.tada'
import { graphql } from '../api/graphql'
import { count, duration, none } from './format'
import { Moment } from './Moment'
import { numbers, Table, texts } from './Table'
import { ViewLink } from './view'
import { words } from './words'

export const sessionFields = graphql(`
  fragment SessionFields on Session {
    id
    visitorId
    startedAt
    durationSeconds
    pageViews
    referrer
    country
    pages
    events
  }
`)

/** Sessions as a table: what each visitor did. */
export function SessionTable({
  sessions,
  label,
}: {
  sessions: readonly ResultOf<typeof sessionFields>[]
  label: string
}) {
  return (
    <Table
      label={label}
      columns={[
        texts(words.started),
        texts(words.visitor),
        numbers(words.length),
        numbers(words.pageViews),
        texts(words.referrer),
        texts(words.country),
        texts(words.pages),
        texts(words.events),
      ]}
    >
      {sessions.map((session) => (
        <tr key={session.id}>
          <th scope="row">
            <ViewLink to={{ panel: { kind: 'session', id: session.id } }}>
              <Moment at={session.startedAt} />
            </ViewLink>
          </th>
          <td>
            <bdi>{session.visitorId}</bdi>
          </td>
          <td className="number">{duration(session.durationSeconds)}</td>
          <td className="number">{count(session.pageViews)}</td>
          <td>
            <bdi>{session.referrer ?? none}</bdi>
          </td>
          <td>{session.country ?? none}</td>
          <td>
            <Some texts={session.pages} />
          </td>
          <td>
            <Some texts={session.events} />
          </td>
        </tr>
      ))}
    </Table>
  )
}

const most = 5

/** The first of some texts, in their order, and how many more there are. */
function Some({ texts }: { texts: readonly string[] }) {
  if (texts.length === 0) return none
  return (
    <>
      {texts.slice(0, most).map((text, i) => (
        <span key={text}>
          {i > 0 && ' → '}
          <bdi>{text}</bdi>
        </span>
      ))}
      {texts.length > most && ` +${texts.length - most}`}
    </>
  )
}
