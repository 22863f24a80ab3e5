import type { Range, RangeName } from './address'
import { dayAfter, dayOf } from './format'

/** The length of a series' intervals. */
export type Interval = 'HOUR' | 'DAY' | 'WEEK' | 'MONTH'

const day = 86_400_000

/** The range of a view that names none: the last 30 days or, if these have no session, the 30 days until the newest one. */
export function defaultRange(newest: string | null, timeZone: string): Range {
  if (newest === null || Date.now() - Date.parse(newest) < 29 * day) return { name: 'LAST_30_DAYS' }
  const to = dayOf(newest, timeZone)
  return { date: { from: dayAfter(to, -29), to } }
}

/** About how many days a range with a name has. */
const daysOf: Record<RangeName, number> = {
  TODAY: 1,
  YESTERDAY: 1,
  LAST_7_DAYS: 7,
  LAST_30_DAYS: 30,
  LAST_90_DAYS: 90,
  THIS_WEEK: 7,
  LAST_WEEK: 7,
  THIS_MONTH: 31,
  LAST_MONTH: 31,
  THIS_QUARTER: 92,
  LAST_QUARTER: 92,
  THIS_YEAR: 366,
  LAST_YEAR: 366,
}

/** The interval by which a range becomes a line of some dozens of points. */
export function intervalOf(range: Range): Interval {
  const days =
    'name' in range ? daysOf[range.name] : (Date.parse(range.date.to) - Date.parse(range.date.from)) / day + 1
  if (days <= 2) return 'HOUR'
  if (days <= 45) return 'DAY'
  return days <= 400 ? 'WEEK' : 'MONTH'
}
