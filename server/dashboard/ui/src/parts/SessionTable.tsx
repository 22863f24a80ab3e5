import type { ResultOf } from 'gql.tada'
import { graphql } from '../api/graphql'
import { count, duration, moment, none } from './format'
import { Scroll } from './Scroll'
import { useSite, ViewLink } from './view'
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
  const { site } = useSite()
  return (
    <Scroll label={label}>
      <table>
        <caption className="hidden">{label}</caption>
        <thead>
          <tr>
            <th scope="col">{words.started}</th>
            <th scope="col">{words.visitor}</th>
            <th scope="col" className="number">
              {words.length}
            </th>
            <th scope="col" className="number">
              {words.pageViews}
            </th>
            <th scope="col">{words.referrer}</th>
            <th scope="col">{words.country}</th>
            <th scope="col">{words.pages}</th>
            <th scope="col">{words.events}</th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((session) => (
            <tr key={session.id}>
              <th scope="row">
                <ViewLink to={{ panel: { kind: 'session', id: session.id } }}>
                  {moment(session.startedAt, site.timezone)}
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
        </tbody>
      </table>
    </Scroll>
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
