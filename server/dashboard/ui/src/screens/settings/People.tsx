import type { ResultOf } from 'gql.tada'
import { type FormEvent, useState } from 'react'
import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { graphql } from '../../api/graphql'
import { Confirm } from '../../parts/Confirm'
import { Copyable } from '../../parts/Copyable'
import { faultsIn, Problems, unplacedIn } from '../../parts/Problems'
import { SelectField } from '../../parts/SelectField'
import { Table, texts } from '../../parts/Table'
import { TextField } from '../../parts/TextField'
import { useSite } from '../../parts/view'
import { words } from '../../parts/words'

const userFields = graphql(`
  fragment UserFields on User {
    id
    name
    createdBy
    createdAt
    updatedAt
    disabledAt
    roles { role site { id name } }
  }
`)

const askUsers = graphql(`query Users { users { ...UserFields } }`, [userFields])
const createUser = graphql(
  `mutation CreateUser($input: CreateUserInput!) { createUser(input: $input) { link user { ...UserFields } } }`,
  [userFields],
)
const updateRoles = graphql(
  `mutation UpdateRoles($input: UpdateUserRolesInput!) { updateUserRoles(input: $input) { user { ...UserFields } } }`,
  [userFields],
)
const disableUser = graphql(`mutation DisableUser($id: ID!) { disableUser(id: $id) { user { ...UserFields } } }`, [
  userFields,
])
const enableUser = graphql(`mutation EnableUser($id: ID!) { enableUser(id: $id) { user { ...UserFields } } }`, [
  userFields,
])
const resetUser = graphql(`mutation ResetUser($id: ID!) { resetUser(id: $id) { link user { ...UserFields } } }`, [
  userFields,
])

type User = ResultOf<typeof userFields>
type Role = User['roles'][number]['role']
const choices = { '': words.noRole, ...words.roles } satisfies { [role in Role | '']: string }

/** Who may log in, and what each may do on this site. A link that sets a password is shown once. */
export function People() {
  const { data, problems, again } = useAsk(askUsers, {})
  const [link, setLink] = useState<string | null>(null)
  const { busy, problems: refused, change } = useChange()
  const reset = async (id: string) => setLink((await change(resetUser, { id }))?.resetUser?.link ?? null)
  return (
    <div className="stack">
      {link !== null && (
        <div className="box stack">
          <h2>{words.passwordLink}</h2>
          <p className="flag">{words.passwordLinkAdvice}</p>
          <Copyable key={link} label={words.passwordLink} text={link} />
        </div>
      )}
      <NewUser
        onLink={(made) => {
          setLink(made)
          again()
        }}
      />
      <Problems problems={[...problems, ...refused]} />
      {data?.users && data.users.length > 0 && (
        <Users users={data.users} busy={busy} change={change} onRefused={again} onReset={reset} />
      )}
      {data?.users?.length === 0 && <p>{words.noPeople}</p>}
    </div>
  )
}

interface RoleHereProps {
  label: string
  role: Role | ''
  busy: boolean
  onRole: (role: Role | '') => void
}

/** A person's role, which is given by a button: an arrow key on the way to another one gives none. */
function RoleHere({ label, role, busy, onRole }: RoleHereProps) {
  const [chosen, setChosen] = useState(role)
  const [given, setGiven] = useState(role)
  if (given !== role) {
    setGiven(role)
    setChosen(role)
  }
  return (
    <span className="row">
      <select aria-label={label} value={chosen} onChange={({ target }) => setChosen(target.value as Role | '')}>
        {Object.entries(choices).map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
      {chosen !== role && (
        <button
          type="button"
          aria-label={words.named(words.save, label)}
          disabled={busy}
          onClick={() => onRole(chosen)}
        >
          {words.save}
        </button>
      )}
    </span>
  )
}

function NewUser({ onLink }: { onLink: (link: string | null) => void }) {
  const { site } = useSite()
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role | ''>('VIEWER')
  const { busy, problems, change } = useChange()
  const create = async (event: FormEvent) => {
    event.preventDefault()
    const done = await change(createUser, { input: { name, roles: role === '' ? [] : [{ site: site.id, role }] } })
    if (!done?.createUser) return
    setName('')
    onLink(done.createUser.link)
  }
  return (
    <form className="box stack" noValidate onSubmit={create}>
      <h2>{words.newPerson}</h2>
      <TextField label={words.name} value={name} onChange={setName} required faults={faultsIn(problems, 'name')} />
      <SelectField label={words.roleHere(site.name)} value={role} choices={choices} onChange={setRole} />
      <Problems problems={unplacedIn(problems, ['name'])} />
      <p>
        <button type="submit" className="primary" disabled={busy}>
          {words.create}
        </button>
      </p>
    </form>
  )
}

interface UsersProps {
  users: readonly User[]
  busy: boolean
  change: ReturnType<typeof useChange>['change']
  /** Is called when a change was refused, perhaps since somebody else has made another. */
  onRefused: () => void
  onReset: (id: string) => void
}

function Users({ users, busy, change, onRefused, onReset }: UsersProps) {
  const { site } = useSite()
  const setRole = async (user: User, role: Role | '') => {
    const others = user.roles.filter((other) => other.site?.id !== site.id)
    const given = [...others.map((other) => ({ site: other.site?.id ?? null, role: other.role }))]
    const done = await change(updateRoles, {
      input: {
        id: user.id,
        roles: role === '' ? given : [...given, { site: site.id, role }],
        expectedUpdatedAt: user.updatedAt,
      },
    })
    if (!done) onRefused()
  }
  return (
    <Table
      label={words.settingsTabs.people}
      columns={[texts(words.name), texts(words.roleHere(site.name)), texts(words.otherRoles), texts(words.actions)]}
    >
      {users.map((user) => (
        <tr key={user.id}>
          <th scope="row">
            <bdi>{user.name}</bdi> {user.disabledAt !== null && <span className="faint">({words.disabled})</span>}
          </th>
          <td>
            <RoleHere
              label={words.named(words.roleHere(site.name), user.name)}
              role={user.roles.find((given) => given.site?.id === site.id)?.role ?? ''}
              busy={busy}
              onRole={(role) => setRole(user, role)}
            />
          </td>
          <td>
            <bdi>
              {user.roles
                .filter((given) => given.site?.id !== site.id)
                .map((given) => words.roleElsewhere(given.site?.name ?? words.allSites, words.roles[given.role]))
                .join('; ')}
            </bdi>
          </td>
          <td>
            <div className="row">
              {user.disabledAt === null ? (
                <Confirm
                  text={words.disable}
                  label={words.named(words.disable, user.name)}
                  question={words.confirmDisable(user.name)}
                  onConfirm={() => change(disableUser, { id: user.id })}
                />
              ) : (
                <button
                  type="button"
                  disabled={busy}
                  aria-label={words.named(words.enable, user.name)}
                  onClick={() => change(enableUser, { id: user.id })}
                >
                  {words.enable}
                </button>
              )}
              <Confirm
                text={words.resetPassword}
                label={words.named(words.resetPassword, user.name)}
                question={words.confirmReset(user.name)}
                onConfirm={() => onReset(user.id)}
              />
            </div>
          </td>
        </tr>
      ))}
    </Table>
  )
}
