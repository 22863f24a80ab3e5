import type { ComponentType } from 'react'
import { useSite, useView, ViewLink } from '../../parts/view'
import { words } from '../../parts/words'
import { Audit } from './Audit'
import { Keys } from './Keys'
import { People } from './People'
import { SiteSettings } from './SiteSettings'
import { Snippets } from './Snippets'

const tabs = { site: SiteSettings, snippet: Snippets, keys: Keys, people: People, audit: Audit } satisfies Record<
  string,
  ComponentType
>
type Tab = keyof typeof tabs

/** The site, how it is tracked, keys, people, and who changed what. What only administrators may see is not offered to others. */
export default function SettingsScreen() {
  const { mayAdminister, mayManagePeople } = useSite()
  const { by } = useView()
  const offered = (Object.keys(tabs) as Tab[]).filter((tab) =>
    tab === 'people' ? mayManagePeople : tab === 'snippet' || mayAdminister,
  )
  const shown = offered.find((tab) => tab === by) ?? offered[0] ?? 'snippet'
  const Shown = tabs[shown]
  return (
    <div className="stack">
      <h1>{words.screens.settings}</h1>
      <nav className="row" aria-label={words.screens.settings}>
        {offered.map((tab) => (
          <ViewLink
            key={tab}
            className="button"
            to={{ by: tab, panel: null }}
            aria-current={tab === shown ? 'page' : undefined}
          >
            {words.settingsTabs[tab]}
          </ViewLink>
        ))}
      </nav>
      <Shown />
    </div>
  )
}
