import type { ResultOf } from 'gql.tada'
import { type FormEvent, useState } from 'react'
import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { graphql } from '../../api/graphql'
import { Confirm } from '../../parts/Confirm'
import { Copyable } from '../../parts/Copyable'
import { Moment } from '../../parts/Moment'
import { faultsIn, Problems, unplacedIn } from '../../parts/Problems'
import { SelectField } from '../../parts/SelectField'
import { Table, texts } from '../../parts/Table'
import { TextField } from '../../parts/TextField'
import { Tracking } from '../../parts/Tracking'
import { useSite } from '../../parts/view'
import { listed, words } from '../../parts/words'

const keyFields = graphql(`
  fragment KeyFields on ApiKey {
    id
    name
    scope
    prefix
    createdBy
    createdAt
    expiresAt
    lastUsedAt
    revokedAt
    sites { id name }
  }
`)

const askKeys = graphql(`query Keys { apiKeys { ...KeyFields } }`, [keyFields])
const createKey = graphql(
  `mutation CreateKey($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { ...KeyFields } } }`,
  [keyFields],
)
const rotateKey = graphql(`mutation RotateKey($id: ID!) { rotateApiKey(id: $id) { secret apiKey { ...KeyFields } } }`, [
  keyFields,
])
const revokeKey = graphql(`mutation RevokeKey($id: ID!) { revokeApiKey(id: $id) { apiKey { ...KeyFields } } }`, [
  keyFields,
])

type Key = ResultOf<typeof keyFields>
type Scope = Key['scope']

/** The API keys. A new secret is shown once, with the snippet if it may stand in pages. */
export function Keys() {
  const { data, problems, again } = useAsk(askKeys, {})
  const [secret, setSecret] = useState<{ text: string; scope: Scope } | null>(null)
  const { busy, problems: refused, change } = useChange()
  const rotate = async (id: string) => {
    const done = await change(rotateKey, { id })
    if (done?.rotateApiKey) setSecret({ text: done.rotateApiKey.secret, scope: done.rotateApiKey.apiKey.scope })
    again()
  }
  return (
    <div className="stack">
      {secret && (
        <div className="box stack">
          <h2>{words.newSecret}</h2>
          <p className="flag">{words.newSecretAdvice}</p>
          <Copyable key={secret.text} label={words.newSecret} text={secret.text} />
          {secret.scope === 'WRITE' && <Tracking writeKey={secret.text} />}
        </div>
      )}
      <NewKey
        onSecret={(text, scope) => {
          setSecret({ text, scope })
          again()
        }}
      />
      <Problems problems={[...problems, ...refused]} />
      {data?.apiKeys && data.apiKeys.length > 0 && (
        <KeyTable keys={data.apiKeys} busy={busy} onRotate={rotate} onRevoke={(id) => change(revokeKey, { id })} />
      )}
      {data?.apiKeys?.length === 0 && <p>{words.noKeys}</p>}
    </div>
  )
}

function NewKey({ onSecret }: { onSecret: (secret: string, scope: Scope) => void }) {
  const { site } = useSite()
  const [name, setName] = useState('')
  const [scope, setScope] = useState<Scope>('WRITE')
  const { busy, problems, change } = useChange()
  const create = async (event: FormEvent) => {
    event.preventDefault()
    const done = await change(createKey, { input: { name, scope, sites: [site.id] } })
    if (!done?.createApiKey) return
    setName('')
    onSecret(done.createApiKey.secret, scope)
  }
  return (
    <form className="box stack" noValidate onSubmit={create}>
      <h2>{words.newKey}</h2>
      <TextField label={words.name} value={name} onChange={setName} required faults={faultsIn(problems, 'name')} />
      <SelectField label={words.scope} value={scope} choices={words.scopes} onChange={setScope} />
      <Problems problems={unplacedIn(problems, ['name'])} />
      <p>
        <button type="submit" className="primary" disabled={busy}>
          {words.create}
        </button>
      </p>
    </form>
  )
}

interface KeyTableProps {
  keys: readonly Key[]
  busy: boolean
  onRotate: (id: string) => void
  onRevoke: (id: string) => void
}

function KeyTable({ keys, busy, onRotate, onRevoke }: KeyTableProps) {
  const at = (time: string | null) => (time === null ? words.never : <Moment at={time} />)
  return (
    <Table
      label={words.settingsTabs.keys}
      columns={[
        texts(words.name),
        texts(words.scope),
        texts(words.site),
        texts(words.begins),
        texts(words.lastUsed),
        texts(words.expires),
        texts(words.actions),
      ]}
    >
      {keys.map((key) => (
        <tr key={key.id}>
          <th scope="row">
            <bdi>{key.name}</bdi>
          </th>
          <td>{words.scopes[key.scope]}</td>
          <td>
            <bdi>{key.sites ? listed(key.sites.map(({ name }) => name)) : words.allSites}</bdi>
          </td>
          <td>{key.prefix}…</td>
          <td>{at(key.lastUsedAt)}</td>
          <td>{at(key.expiresAt)}</td>
          <td>
            {key.revokedAt !== null ? (
              words.revoked
            ) : (
              <div className="row">
                <button
                  type="button"
                  disabled={busy}
                  aria-label={words.named(words.rotate, key.name)}
                  onClick={() => onRotate(key.id)}
                >
                  {words.rotate}
                </button>
                <Confirm
                  text={words.revoke}
                  label={words.named(words.revoke, key.name)}
                  question={words.confirmRevoke(key.name)}
                  onConfirm={() => onRevoke(key.id)}
                />
              </div>
            )}
          </td>
        </tr>
      ))}
    </Table>
  )
}
