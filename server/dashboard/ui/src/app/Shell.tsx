import { type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { useConnection } from '../api/ask'
import { logOut } from '../api/login'
import { screens, siteName } from '../parts/address'
import { Title } from '../parts/Title'
import { useGo, useView, ViewLink } from '../parts/view'
import { words } from '../parts/words'
import styles from './Shell.module.css'

interface ShellProps {
  sites: readonly { id: string; name: string; domains: readonly string[] }[]
  /** The id of the site that is shown; null before there is one. */
  current: string | null
  /** Who has logged in; null where nobody does. */
  person: string | null
  children: ReactNode
}

/** What stands around every screen: the site, the screens, who has logged in, and whether the server is reached. */
export function Shell({ sites, current, person, children }: ShellProps) {
  const view = useView()
  const go = useGo()
  const id = useId()
  const otherScreen = { search: '', goals: [], by: '', order: '', page: 1, panel: null }
  const otherSite = { ...otherScreen, segments: null, within: '', filters: [] }
  const nav = useRef<HTMLElement>(null)
  const { screen } = view
  // On a phone the screens are wider than the page.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it follows the screen.
  useEffect(() => {
    nav.current?.querySelector('[aria-current="page"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [screen])
  return (
    <div className={styles.page}>
      <Title text={words.screens[view.screen]} site={sites.find(({ id }) => id === current)?.name ?? null} />
      <header className={styles.header}>
        <a className={`button ${styles.skip}`} href="#content">
          {words.skip}
        </a>
        <div className={styles.bar}>
          <ViewLink className={styles.brand} to={{ ...otherScreen, screen: 'home' }}>
            {words.product}
          </ViewLink>
          {sites.length > 0 && (
            <>
              <label htmlFor={id} className="hidden">
                {words.site}
              </label>
              <select
                id={id}
                className={styles.site}
                value={current ?? ''}
                onChange={({ target }) => {
                  const chosen = sites.find((site) => site.id === target.value)
                  if (chosen) go({ ...otherSite, site: siteName(chosen) })
                }}
              >
                {current === null && <option value="" />}
                {sites.map((site) => (
                  <option key={site.id} value={site.id}>
                    {site.name}
                  </option>
                ))}
              </select>
            </>
          )}
          {person !== null && <Person name={person} />}
        </div>
        {current !== null && (
          <nav ref={nav} aria-label={words.navigation} className={styles.nav}>
            {screens.map((screen) => (
              <ViewLink
                key={screen}
                to={{ ...otherScreen, screen }}
                aria-current={screen === view.screen ? 'page' : undefined}
              >
                {words.screens[screen]}
              </ViewLink>
            ))}
          </nav>
        )}
        <Lost />
      </header>
      <main id="content" tabIndex={-1} className={styles.main}>
        {children}
      </main>
    </div>
  )
}

function Person({ name }: { name: string }) {
  const [failed, setFailed] = useState(false)
  const leave = async () => setFailed(!(await logOut()))
  return (
    <div className={`row ${styles.person}`}>
      <bdi>{name}</bdi>
      <a className="button" href="/auth/password">
        {words.password}
      </a>
      <button type="button" onClick={leave}>
        {words.logOut}
      </button>
      {failed && (
        <span className="bad" role="alert">
          {words.notLoggedOut}
        </span>
      )}
    </div>
  )
}

function Lost() {
  const connection = useConnection()
  return (
    <div role="status" className={styles.lost}>
      {connection === 'lost' ? words.connection.lost : ''}
    </div>
  )
}
