import {
  type AnchorHTMLAttributes,
  createContext,
  type MouseEvent,
  type ReactNode,
  useCallback,
  useContext,
  useMemo,
} from 'react'
import { Link } from 'wouter'
import { navigate, usePathname, useSearch } from 'wouter/use-browser-location'
import type { Site } from '../api/site'
import { type Range, readAddress, type View, writeAddress } from './address'
import { defaultRange } from './range'

/** The view that the URL names. */
export function useView(): View {
  const path = usePathname()
  const query = useSearch()
  return useMemo(() => readAddress(path, query), [path, query])
}

/** Changes the view by a step that Back undoes; with `replace` the step is part of the one before. */
export function useGo(): (change: Partial<View>, options?: { replace?: boolean }) => void {
  const view = useView()
  return useCallback((change, options) => navigate(writeAddress({ ...view, ...change }), options), [view])
}

/** Goes where a plain link leads, within the page. For the links of large tables, of which each would follow the URL by itself. */
export function follow(event: MouseEvent<HTMLAnchorElement>) {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
  event.preventDefault()
  navigate(event.currentTarget.href)
}

type ViewLinkProps = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> & { to: Partial<View>; children: ReactNode }

/** A link to the view with a change. */
export function ViewLink({ to, ...rest }: ViewLinkProps) {
  const view = useView()
  return <Link href={writeAddress({ ...view, ...to })} {...rest} />
}

/** The site that the view is of, and what the viewer may do there. */
export interface OpenedSite {
  readonly site: Site
  readonly mayEdit: boolean
  readonly mayAdminister: boolean
  /** Whether the viewer administers all sites, and so the people who may log in. */
  readonly mayManagePeople: boolean
  /** When the newest session started; null if there is none. */
  readonly newest: string | null
}

/** Holds the site for the screens. */
export const SiteContext = createContext<OpenedSite | null>(null)

/** The site that the view is of. Only for what stands below the context. */
export function useSite(): OpenedSite {
  const opened = useContext(SiteContext)
  if (!opened) throw new Error('there is no site here')
  return opened
}

/** The range that is shown. */
export function useRange(): Range {
  const { range } = useView()
  const { site, newest } = useSite()
  return useMemo(() => range ?? defaultRange(newest, site.timezone), [range, newest, site.timezone])
}
