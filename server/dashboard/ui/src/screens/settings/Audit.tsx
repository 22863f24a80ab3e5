import { useState } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { count, moment } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { Scroll } from '../../parts/Scroll'
import { useSite } from '../../parts/view'
import { words } from '../../parts/words'

const askAudit = graphql(`
  query Audit($siteId: ID!, $first: Int!) {
    site(id: $siteId) {
      id
      auditLog(first: $first) {
        totalCount
        pageInfo { hasNextPage }
        nodes { id at actorKind actorName action objectKind objectName before after }
      }
    }
  }
`)

const page = 50
const mostEntries = 500

/** Who changed what, the newest change first. */
export function Audit() {
  const { site } = useSite()
  const [first, setFirst] = useState(page)
  const { data, problems } = useAsk(askAudit, { siteId: site.id, first })
  const found = data?.site?.auditLog
  return (
    <div className="stack">
      <Problems problems={problems} />
      {found && (
        <p role="status" className="faint">
          {words.rowsOf(count(found.nodes.length), count(found.totalCount))}
        </p>
      )}
      {found && found.nodes.length > 0 && (
        <Scroll label={words.settingsTabs.audit}>
          <table>
            <caption className="hidden">{words.settingsTabs.audit}</caption>
            <thead>
              <tr>
                <th scope="col">{words.at}</th>
                <th scope="col">{words.who}</th>
                <th scope="col">{words.what}</th>
                <th scope="col">{words.details}</th>
              </tr>
            </thead>
            <tbody>
              {found.nodes.map((entry) => (
                <tr key={entry.id}>
                  <th scope="row">{moment(entry.at, site.timezone)}</th>
                  <td>
                    <bdi>{entry.actorName}</bdi>
                  </td>
                  <td>
                    {words.auditActions[entry.action]} {words.auditObjects[entry.objectKind]}{' '}
                    <bdi>{entry.objectName}</bdi>
                  </td>
                  <td>
                    <details>
                      <summary>{words.details}</summary>
                      {entry.before !== null && <Version title={words.beforeChange} of={entry.before} />}
                      {entry.after !== null && <Version title={words.afterChange} of={entry.after} />}
                    </details>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {found?.pageInfo.hasNextPage && first < mostEntries && (
        <p>
          <button type="button" onClick={() => setFirst(Math.min(mostEntries, first * 3))}>
            {words.more}
          </button>
        </p>
      )}
    </div>
  )
}

function Version({ title, of }: { title: string; of: unknown }) {
  return (
    <>
      <h3>{title}</h3>
      <pre className="code">{JSON.stringify(of, null, 2)}</pre>
    </>
  )
}
