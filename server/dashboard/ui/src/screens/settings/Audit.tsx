import { useState } from 'react'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { Moment } from '../../parts/Moment'
import { More } from '../../parts/More'
import { Problems } from '../../parts/Problems'
import { RowCount } from '../../parts/RowCount'
import { Table, texts } from '../../parts/Table'
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
      {found && <RowCount shown={found.nodes.length} all={found.totalCount} />}
      {found && found.nodes.length > 0 && (
        <Table
          label={words.settingsTabs.audit}
          columns={[texts(words.at), texts(words.who), texts(words.what), texts(words.details)]}
        >
          {found.nodes.map((entry) => (
            <tr key={entry.id}>
              <th scope="row">
                <Moment at={entry.at} />
              </th>
              <td>
                <bdi>{entry.actorName}</bdi>
              </td>
              <td>
                {words.auditActions[entry.action]} {words.auditObjects[entry.objectKind]} <bdi>{entry.objectName}</bdi>
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
        </Table>
      )}
      <More
        left={found?.pageInfo.hasNextPage === true && first < mostEntries}
        onMore={() => setFirst(Math.min(mostEntries, first * 3))}
      />
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
