import type { FilterInput } from '../api/graphql'

/**
 * The codec of the URL, which is the state of the page: every view, with its range, segments, search and open panel, is a link
 * that works in another browser. What a URL leaves out has its default, and what it has wrong, too.
 */

/** The screens, by the last part of their path. */
export const screens = [
  'home',
  'breakdowns',
  'funnel',
  'experiments',
  'now',
  'sessions',
  'events',
  'segments',
  'goals',
  'plugins',
  'settings',
] as const
export type Screen = (typeof screens)[number]

/** The ranges that have names; they end with today and move on at midnight, in the site's time zone. */
export const rangeNames = [
  'TODAY',
  'YESTERDAY',
  'LAST_7_DAYS',
  'LAST_30_DAYS',
  'LAST_90_DAYS',
  'THIS_WEEK',
  'LAST_WEEK',
  'THIS_MONTH',
  'LAST_MONTH',
  'THIS_QUARTER',
  'LAST_QUARTER',
  'THIS_YEAR',
  'LAST_YEAR',
] as const
export type RangeName = (typeof rangeNames)[number]

/** A range of time: one that has a name, or days of which the first and the last are included. */
export type Range = { readonly name: RangeName } | { readonly date: { readonly from: string; readonly to: string } }

/** What a panel beside the screen shows. */
export type Panel =
  | { readonly kind: 'why'; readonly goal: string; readonly segment: string }
  | { readonly kind: 'segment' | 'goal'; readonly id: string | null }
  | { readonly kind: 'convert'; readonly segment: string }
  | { readonly kind: 'experiment'; readonly id: string | null }
  | { readonly kind: 'session'; readonly id: string }

/** A view of a site. */
export interface View {
  /** A domain of the site, or `id:` and its id. Empty before a site is chosen. */
  readonly site: string
  readonly screen: Screen
  /** The range; null for the default, which depends on the site: the last 30 days that have sessions. */
  readonly range: Range | null
  /** Whether the previous period stands beside the range. */
  readonly compare: boolean
  /** The ids of the segments; null for those that are active. */
  readonly segments: readonly string[] | null
  /** The id of the one segment that a screen without columns is of; empty for every session. */
  readonly within: string
  /** Filters that are no segment's, which sessions match beside those of `within`. */
  readonly filters: readonly FilterInput[]
  readonly search: string
  /** What the screen is of, as it says: a dimension, an experiment's id. Empty for the screen's default. */
  readonly by: string
  /** What a table is ordered by, as the screen says. Empty for the screen's default. */
  readonly order: string
  /** The ids of goals, in the order chosen: the steps of a funnel. */
  readonly goals: readonly string[]
  /** The page of a table that is too long for one, from 1. */
  readonly page: number
  readonly panel: Panel | null
}

const start: View = {
  site: '',
  screen: 'home',
  range: null,
  compare: false,
  segments: null,
  within: '',
  filters: [],
  search: '',
  by: '',
  order: '',
  goals: [],
  page: 1,
  panel: null,
}

/** Whether a text is a day of the calendar, from 1900 to 2199: 2026-03-01. */
export function isDay(text: string): boolean {
  if (!/^(19|20|21)\d\d-\d\d-\d\d$/.test(text)) return false
  const at = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}

const isOneOf = <Name extends string>(names: readonly Name[], text: string): text is Name =>
  (names as readonly string[]).includes(text)

function readRange(text: string | null): Range | null {
  if (text === null) return null
  if (isOneOf(rangeNames, text)) return { name: text }
  const [from = '', to = ''] = text.split('..')
  return isDay(from) && isDay(to) && from <= to ? { date: { from, to } } : null
}

const writeRange = (range: Range) => ('name' in range ? range.name : `${range.date.from}..${range.date.to}`)

// More of either no request may have.
const mostIds = 100
const mostFilters = 100
const mostLevels = 100

// Ids are base64: neither a comma nor a dot is in them.
const readIds = (text: string | null) =>
  text === null ? null : [...new Set(text.split(',').filter((id) => id !== ''))].slice(0, mostIds)

function readPanel(text: string | null): Panel | null {
  const [kind = '', first = '', second = '', ...more] = (text ?? '').split('.')
  if (first === '' || more.length > 0) return null
  if (kind === 'why' && second !== '') return { kind, goal: first, segment: second }
  if (second !== '') return null
  if (kind === 'segment' || kind === 'goal' || kind === 'experiment')
    return { kind, id: first === 'new' ? null : first }
  if (kind === 'session') return { kind, id: first }
  return kind === 'convert' ? { kind, segment: first } : null
}

function writePanel(panel: Panel): string {
  switch (panel.kind) {
    case 'why':
      return `why.${panel.goal}.${panel.segment}`
    case 'convert':
      return `convert.${panel.segment}`
    case 'session':
      return `session.${panel.id}`
    default:
      return `${panel.kind}.${panel.id ?? 'new'}`
  }
}

const isShallow = (value: unknown, levels = mostLevels): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (levels > 0 && Object.values(value).every((part) => isShallow(part, levels - 1)))

const isFilter = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 1

/** Reads filters as JSON. What they ask for is the server's to check. */
function readFilters(text: string | null): readonly FilterInput[] {
  try {
    const read: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(read) && read.length <= mostFilters && read.every(isFilter) && isShallow(read)
      ? (read as FilterInput[])
      : []
  } catch {
    return []
  }
}

const readPage = (text: string | null) => (text !== null && /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 1)

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** Reads a path and a query, with or without its question mark. */
export function readAddress(path: string, query: string): View {
  const [root = '', site = '', screen = 'home'] = path.split('/').filter((part) => part !== '')
  if (root !== 'sites') return start
  const given = new URLSearchParams(query)
  return {
    site: decode(site),
    screen: isOneOf(screens, screen) ? screen : 'home',
    range: readRange(given.get('range')),
    compare: given.get('compare') === 'previous',
    segments: readIds(given.get('segments')),
    within: given.get('in') ?? '',
    filters: readFilters(given.get('filters')),
    search: given.get('search') ?? '',
    by: given.get('by') ?? '',
    order: given.get('order') ?? '',
    goals: readIds(given.get('goals')) ?? [],
    page: readPage(given.get('page')),
    panel: readPanel(given.get('panel')),
  }
}

/** Writes a view as a path with its query. Two views are equal if they are written alike. */
export function writeAddress(view: View): string {
  if (view.site === '') return '/'
  const query = new URLSearchParams()
  if (view.range) query.set('range', writeRange(view.range))
  if (view.compare) query.set('compare', 'previous')
  if (view.segments) query.set('segments', view.segments.join(','))
  if (view.within !== '') query.set('in', view.within)
  if (view.filters.length > 0) query.set('filters', JSON.stringify(view.filters))
  if (view.search !== '') query.set('search', view.search)
  if (view.by !== '') query.set('by', view.by)
  if (view.order !== '') query.set('order', view.order)
  if (view.goals.length > 0) query.set('goals', view.goals.join(','))
  if (view.page > 1) query.set('page', String(view.page))
  if (view.panel) query.set('panel', writePanel(view.panel))
  const path = `/sites/${encodeURIComponent(view.site)}${view.screen === 'home' ? '' : `/${view.screen}`}`
  // These stand in queries as they are, and make links that people can read.
  const text = query.toString().replaceAll('%2C', ',').replaceAll('%3A', ':')
  return text === '' ? path : `${path}?${text}`
}

/** Writes the addresses of panels beside a view. What all of them have in common is written once, for tables of many links. */
export function panelWriter(view: View): (panel: Panel) => string {
  const address = writeAddress({ ...view, panel: null })
  const start = `${address}${address.includes('?') ? '&' : '?'}panel=`
  return (panel) => start + encodeURIComponent(writePanel(panel))
}

/** The site of a view as the graph's arguments name it. */
export const siteArguments = ({ site }: View) =>
  site.startsWith('id:') ? { id: site.slice(3), domain: null } : { id: null, domain: site }

/** How a view names a site. */
export const siteName = ({ id, domains }: { id: string; domains: readonly string[] }) => domains[0] ?? `id:${id}`
