import type { ResultOf } from 'gql.tada'
import { useState } from 'react'
import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { graphql } from '../../api/graphql'
import { Confirm } from '../../parts/Confirm'
import { Drawer } from '../../parts/Drawer'
import { Facts } from '../../parts/Facts'
import { Figures } from '../../parts/Figures'
import { amount, count, duration, none, timeOfDay } from '../../parts/format'
import { Moment } from '../../parts/Moment'
import { More } from '../../parts/More'
import { Problems } from '../../parts/Problems'
import { numbers, Table, texts } from '../../parts/Table'
import { useSite } from '../../parts/view'
import { listed, words } from '../../parts/words'

const askSession = graphql(`
  query Session($id: ID!, $first: Int!) {
    node(id: $id) {
      ... on Session {
        id
        visitorId
        visitorKind
        startedAt
        durationSeconds
        pageViews
        country
        region
        city
        referrer
        browser
        os
        device
        language
        utmSource
        utmMedium
        utmCampaign
        hits(first: $first) {
          totalCount
          nodes { id kind at name value experiment variant properties { key value } }
        }
      }
    }
  }
`)

const deleteVisitor = graphql(`
  mutation DeleteVisitor($siteId: ID!, $visitorId: ID!) { deleteVisitor(siteId: $siteId, visitorId: $visitorId) }
`)

type Session = Extract<ResultOf<typeof askSession>['node'], { visitorId: string }>

const page = 100
const mostHits = 500

/** What one visitor did in a session, hit by hit. Administrators may erase the visitor. */
export default function SessionPanel({ id }: { id: string }) {
  const { site, mayAdminister } = useSite()
  const [first, setFirst] = useState(page)
  const [erased, setErased] = useState<number | null>(null)
  const erasing = useChange()
  const erase = async (visitorId: string) => {
    const done = await erasing.change(deleteVisitor, { siteId: site.id, visitorId })
    setErased(done?.deleteVisitor ?? null)
  }
  const { data, problems, stale } = useAsk(askSession, { id, first })
  const session = data?.node && 'visitorId' in data.node ? (data.node as Session) : null
  return (
    <Drawer title={words.session}>
      <div className="stack">
        <Problems problems={problems} />
        <Problems problems={erasing.problems} />
        {erased !== null ? (
          <p role="status">{words.erasedVisitor(count(erased))}</p>
        ) : session ? (
          <>
            <Figures
              figures={[
                [words.visitor, session.visitorId],
                [words.visitorKind, words.visitorKinds[session.visitorKind]],
                [words.length, duration(session.durationSeconds)],
                [words.pageViews, count(session.pageViews)],
              ]}
            />
            <Facts facts={factsOf(session)} />
            <Hits session={session} />
            <More
              left={session.hits !== null && session.hits.nodes.length < session.hits.totalCount && first < mostHits}
              onMore={() => setFirst(mostHits)}
            />
            {mayAdminister && (
              <p>
                {erasing.busy ? (
                  <span role="status">{words.saving}</span>
                ) : (
                  <Confirm
                    text={words.eraseVisitor}
                    label={words.eraseVisitor}
                    question={words.confirmEraseVisitor}
                    onConfirm={() => erase(session.visitorId)}
                  />
                )}
              </p>
            )}
          </>
        ) : (
          problems.length === 0 && (stale ? <p role="status">{words.loading}</p> : <p>{words.goneSession}</p>)
        )}
      </div>
    </Drawer>
  )
}

/** What is known of some texts, one after another. */
const together = (...texts: readonly (string | null)[]) => listed(texts.flatMap((text) => text || []))

const factsOf = (session: Session) =>
  [
    [words.started, <Moment at={session.startedAt} />],
    [words.referrer, session.referrer],
    [words.place, together(session.city, session.region, session.country)],
    [words.device, together(session.device, session.os, session.browser, session.language)],
    [words.campaign, together(session.utmSource, session.utmMedium, session.utmCampaign)],
  ] as const

function Hits({ session }: { session: Session }) {
  const { site } = useSite()
  return (
    <Table
      label={words.hits}
      columns={[texts(words.at), texts(words.what), texts(words.name), numbers(words.value), texts(words.details)]}
    >
      {session.hits?.nodes.map((hit) => (
        <tr key={hit.id}>
          <th scope="row">{timeOfDay(hit.at, site.timezone)}</th>
          <td>{words.hitKinds[hit.kind]}</td>
          <td>
            <bdi>{hit.name ?? none}</bdi>
          </td>
          <td className="number">{amount(hit.value)}</td>
          <td>
            <bdi>
              {[
                ...(hit.experiment === null ? [] : [words.assigned(hit.experiment, hit.variant ?? none)]),
                ...hit.properties.map(({ key, value }) => words.propertyOf(key, value)),
              ].join('; ') || none}
            </bdi>
          </td>
        </tr>
      ))}
    </Table>
  )
}
