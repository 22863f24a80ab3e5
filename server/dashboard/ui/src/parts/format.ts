const locale = 'en'

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
const small = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 })
const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 })

/** What stands where there is no figure. */
export const none = '–'

/** A number of things. */
export const count = (n: number | null | undefined) => (n == null ? none : whole.format(n))

/** A sum of values, to two digits behind the point; to three digits where it is below 1. */
export const amount = (n: number | null | undefined) =>
  n == null ? none : (n !== 0 && Math.abs(n) < 1 ? small : decimal).format(n)

const probability = new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 })
const least = 0.0001

/** A p-value, to two digits; of those below 0.0001 only that they are. */
export const pValue = (p: number | null | undefined) =>
  p == null ? none : p < least ? `< ${least}` : probability.format(p)

const mostDigits = 10

/** As many digits behind the point as tell a percentage from 0 and from 100. */
function digitsOf(percent: number): number {
  const size = Math.abs(percent)
  const gap = size < 50 ? size : Math.abs(100 - size)
  return gap === 0 || gap >= 1 ? 1 : Math.min(mostDigits, Math.ceil(-Math.log10(gap)) + 1)
}

// By the number of digits. To make one takes longer than all else that a cell of a table needs.
const percentages = Array.from(
  { length: mostDigits + 1 },
  (_, digits) =>
    new Intl.NumberFormat(locale, { minimumFractionDigits: Math.min(1, digits), maximumFractionDigits: digits }),
)

const percentage = (percent: number): string => percentages[digitsOf(percent)]?.format(percent) ?? none

/** A share: 0.338 is 33.8 %. What is not 0 is never shown as 0 %, and what is not all never as 100 %. */
export const share = (rate: number | null | undefined) => (rate == null ? none : `${percentage(rate * 100)} %`)

const signed = (text: string, n: number) => (n > 0 ? `+${text}` : n < 0 ? `−${text.replace('-', '')}` : text)

/** A difference of two shares, in percentage points. */
export const points = (difference: number | null | undefined) =>
  difference == null ? none : `${signed(percentage(difference * 100), difference)} pp`

/** A relative change: 0.5 is 50 % more. */
export const change = (relative: number | null | undefined) =>
  relative == null ? none : `${signed(percentage(relative * 100), relative)} %`

/** A length of time in seconds, for people: 1 min 5 s. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null) return none
  if (seconds < 60) return `${decimal.format(seconds)} s`
  const s = Math.round(seconds)
  const parts = [
    [Math.floor(s / 3600), 'h'],
    [Math.floor((s % 3600) / 60), 'min'],
    [s % 60, 's'],
  ] as const
  return parts
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ')
}

/** Says instants in zones, with a formatter for each zone: to make one takes longer than all else that a row needs. */
function inZones(language: string, options: Intl.DateTimeFormatOptions): (at: string, timeZone: string) => string {
  const made = new Map<string, Intl.DateTimeFormat>()
  return (at, timeZone) => {
    let formatter = made.get(timeZone)
    if (!formatter) {
      formatter = new Intl.DateTimeFormat(language, { ...options, timeZone })
      made.set(timeZone, formatter)
    }
    return formatter.format(new Date(at))
  }
}

/** An instant as a date and a time of a zone. */
export const moment = inZones(locale, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' })

/** An instant as a time of day of a zone. */
export const timeOfDay = inZones(locale, { timeStyle: 'medium', hourCycle: 'h23' })

/** An instant as a day of a zone: 2026-03-01. */
export const dayOf = inZones('sv', { dateStyle: 'short' })

/** A day so many days after another. */
export function dayAfter(day: string, days: number): string {
  const at = new Date(`${day}T00:00:00Z`)
  at.setUTCDate(at.getUTCDate() + days)
  return at.toISOString().slice(0, 10)
}

/** A share as people write percentages: 2.5 of 0.025. */
export const percentOf = (share: number) => String(Number((share * 100).toPrecision(12)))

/** The share that a percentage is, with or without its sign; null of what is none. */
export function readPercent(text: string): number | null {
  const digits = text.trim().replace(/\s*%$/, '')
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(digits) ? Number((Number(digits) / 100).toPrecision(12)) : null
}
