import { type ComponentType, lazy, Suspense, useEffect } from 'react'
import { useSubscription } from 'urql'
import { useAsk } from '../api/ask'
import { followSite, openSite, useWhole } from '../api/site'
import { type Panel, readAddress, type Screen, siteArguments, siteName } from '../parts/address'
import { Boundary } from '../parts/Boundary'
import { Problems } from '../parts/Problems'
import { SiteContext, useGo, useView } from '../parts/view'
import { words } from '../parts/words'
import { HomeScreen } from '../screens/home/HomeScreen'
import { Shell } from './Shell'

// Home comes with the page, and the others when they are first shown.
const shown: Record<Screen, ComponentType> = {
  home: HomeScreen,
  breakdowns: lazy(() => import('../screens/breakdowns/BreakdownsScreen')),
  funnel: lazy(() => import('../screens/funnel/FunnelScreen')),
  experiments: lazy(() => import('../screens/experiments/ExperimentsScreen')),
  now: lazy(() => import('../screens/now/NowScreen')),
  sessions: lazy(() => import('../screens/sessions/SessionsScreen')),
  events: lazy(() => import('../screens/events/EventsScreen')),
  segments: lazy(() => import('../screens/segments/SegmentsScreen')),
  goals: lazy(() => import('../screens/goals/GoalsScreen')),
  plugins: lazy(() => import('../screens/plugins/PluginsScreen')),
  settings: lazy(() => import('../screens/settings/SettingsScreen')),
}

const FirstSteps = lazy(() => import('../screens/start/FirstSteps'))

const WhyPanel = lazy(() => import('../screens/why/WhyPanel'))
const EditorPanel = lazy(() => import('../screens/editor/EditorPanel'))
const ExperimentPanel = lazy(() => import('../screens/experiments/ExperimentPanel'))
const SessionPanel = lazy(() => import('../screens/sessions/SessionPanel'))
const ConvertPanel = lazy(() => import('../screens/convert/ConvertPanel'))

/** The page: the site that the URL names, its screen, and the panel beside it. */
export function App() {
  const view = useView()
  const chosen = view.site !== ''
  const { data, problems, stale } = useAsk(openSite, { ...siteArguments(view), chosen })
  const site = useWhole(data?.site ?? null)
  const newest = data?.site?.newest?.nodes[0]?.startedAt ?? null
  const isEmpty = data?.site?.newest?.nodes.length === 0
  useSubscription({ query: followSite, variables: { siteId: site?.id ?? '' }, pause: site === null })
  useFirstSite(chosen ? [] : (data?.sites ?? []))

  const grants = data?.viewer?.grants ?? []
  const may = (...scopes: string[]) =>
    grants.some(({ siteId, scope }) => (siteId === null || siteId === site?.id) && scopes.includes(scope))
  const Screen = view.screen === 'home' && isEmpty ? FirstSteps : shown[view.screen]
  return (
    <Shell
      sites={data?.sites ?? []}
      current={site?.id ?? null}
      person={data?.viewer?.kind === 'USER' ? data.viewer.name : null}
    >
      {site ? (
        <SiteContext
          value={{
            site,
            mayEdit: may('EDIT', 'ADMIN'),
            mayAdminister: may('ADMIN'),
            mayManagePeople: grants.some(({ siteId, scope }) => siteId === null && scope === 'ADMIN'),
            newest,
          }}
        >
          <Boundary of={`${site.id} ${view.screen}`}>
            <Suspense fallback={<p role="status">{words.loading}</p>}>
              <Screen />
            </Suspense>
          </Boundary>
          {view.panel && (
            <Boundary of={JSON.stringify(view.panel)}>
              <Suspense fallback={null}>
                <Beside panel={view.panel} />
              </Suspense>
            </Boundary>
          )}
        </SiteContext>
      ) : (
        <Missing problems={problems} waiting={stale} chosen={chosen} none={data?.sites?.length === 0} />
      )}
    </Shell>
  )
}

function Beside({ panel }: { panel: Panel }) {
  const key = JSON.stringify(panel)
  switch (panel.kind) {
    case 'why':
      return <WhyPanel key={key} goal={panel.goal} segment={panel.segment} />
    case 'convert':
      return <ConvertPanel key={key} segment={panel.segment} />
    case 'experiment':
      return <ExperimentPanel key={key} id={panel.id} />
    case 'session':
      return <SessionPanel key={key} id={panel.id} />
    default:
      return <EditorPanel key={key} kind={panel.kind} id={panel.id} />
  }
}

interface MissingProps {
  problems: Parameters<typeof Problems>[0]['problems']
  waiting: boolean
  chosen: boolean
  none: boolean
}

function Missing({ problems, waiting, chosen, none }: MissingProps) {
  if (problems.length > 0) return <Problems problems={problems} />
  if (none) {
    return (
      <>
        <h1>{words.noSites}</h1>
        <p>{words.noSitesAdvice}</p>
      </>
    )
  }
  if (waiting || !chosen) return <p role="status">{words.loading}</p>
  return <h1>{words.noSite}</h1>
}

/** Leads from the root to the first site. */
function useFirstSite(sites: readonly { id: string; domains: readonly string[] }[]) {
  const go = useGo()
  const [first] = sites
  const name = first ? siteName(first) : ''
  useEffect(() => {
    if (name !== '') go({ ...readAddress(`/sites/${encodeURIComponent(name)}`, '') }, { replace: true })
  }, [name, go])
}
