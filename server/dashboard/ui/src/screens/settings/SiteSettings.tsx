import type { ResultOf } from 'gql.tada'
import { type FormEvent, useState } from 'react'
import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { graphql } from '../../api/graphql'
import { faultsIn, Problems, unplacedIn } from '../../parts/Problems'
import { SelectField } from '../../parts/SelectField'
import { TextField } from '../../parts/TextField'
import { useSite } from '../../parts/view'
import { words } from '../../parts/words'

const settingsFields = graphql(`
  fragment SettingsFields on Site {
    id
    name
    domains
    timezone
    addresses
    ignoredReferrers
    bots
    retentionDays
    updatedAt
  }
`)

const askSettings = graphql(`query SiteSettings($id: ID!) { site(id: $id) { ...SettingsFields } }`, [settingsFields])

const updateSite = graphql(
  `mutation UpdateSite($input: UpdateSiteInput!) { updateSite(input: $input) { site { ...SettingsFields } } }`,
  [settingsFields],
)

type Settings = ResultOf<typeof settingsFields>

/** What the site is called, its hosts and time zone, and what it keeps of visitors. */
export function SiteSettings() {
  const { site } = useSite()
  const { data, problems } = useAsk(askSettings, { id: site.id })
  return (
    <>
      <Problems problems={problems} />
      {data?.site && <Form key={data.site.updatedAt} settings={data.site} />}
    </>
  )
}

const lines = (text: string) =>
  text
    .split(/[\s,]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')

/** The days that a text gives: null for none, and for what is no number one that the server refuses. */
const daysOf = (text: string) => (text.trim() === '' ? null : /^\d+$/.test(text.trim()) ? Number(text) : 0)

function Form({ settings }: { settings: Settings }) {
  const [name, setName] = useState(settings.name)
  const [domains, setDomains] = useState(settings.domains.join(', '))
  const [timezone, setTimezone] = useState(settings.timezone)
  const [referrers, setReferrers] = useState(settings.ignoredReferrers.join(', '))
  const [addresses, setAddresses] = useState(settings.addresses)
  const [bots, setBots] = useState(settings.bots)
  const [retention, setRetention] = useState(settings.retentionDays?.toString() ?? '')
  const [saved, setSaved] = useState(false)
  const { busy, problems, change } = useChange()
  const faultsOf = (field: string) => faultsIn(problems, field)
  const save = async (event: FormEvent) => {
    event.preventDefault()
    setSaved(false)
    const input = {
      id: settings.id,
      name,
      domains: lines(domains),
      timezone,
      ignoredReferrers: lines(referrers),
      addresses,
      bots,
      retentionDays: daysOf(retention),
      expectedUpdatedAt: settings.updatedAt,
    }
    setSaved((await change(updateSite, { input })) !== null)
  }
  return (
    <form className="box stack" noValidate onSubmit={save}>
      <TextField label={words.name} value={name} onChange={setName} required faults={faultsOf('name')} />
      <TextField
        label={words.domains}
        help={words.domainsHelp}
        value={domains}
        onChange={setDomains}
        faults={faultsOf('domains')}
      />
      <TextField
        label={words.timezone}
        help={words.timezoneHelp}
        value={timezone}
        onChange={setTimezone}
        required
        faults={faultsOf('timezone')}
      />
      <TextField
        label={words.ignoredReferrers}
        help={words.ignoredReferrersHelp}
        value={referrers}
        onChange={setReferrers}
        faults={faultsOf('ignoredReferrers')}
      />
      <SelectField
        label={words.addresses}
        value={addresses}
        choices={words.addressPrivacy}
        onChange={setAddresses}
        faults={faultsOf('addresses')}
      />
      <TextField
        label={words.retentionDays}
        help={words.retentionDaysHelp}
        value={retention}
        onChange={setRetention}
        faults={faultsOf('retentionDays')}
      />
      <label className="row">
        <input
          type="checkbox"
          checked={bots === 'INCLUDE'}
          onChange={({ target }) => setBots(target.checked ? 'INCLUDE' : 'EXCLUDE')}
        />
        {words.bots}
      </label>
      <Problems
        problems={unplacedIn(problems, [
          'name',
          'domains',
          'timezone',
          'ignoredReferrers',
          'addresses',
          'retentionDays',
        ])}
      />
      <p className="row">
        <button type="submit" className="primary" disabled={busy}>
          {busy ? words.saving : words.save}
        </button>
        <span role="status">{saved ? words.saved : ''}</span>
      </p>
    </form>
  )
}
