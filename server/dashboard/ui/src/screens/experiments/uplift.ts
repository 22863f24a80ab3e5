import { change, none } from '../../parts/format'

/** The axis that all uplifts of a table or a picture share. */
export interface Axis {
  readonly low: number
  readonly high: number
}

interface Interval {
  readonly low: number
  readonly high: number
}

/** An axis that has 0 and all intervals, of which those ends that are out of any proportion are cut off. */
export function axisOf(intervals: readonly Interval[]): Axis {
  const cut = (n: number) => Math.max(-1, Math.min(3, n))
  return {
    low: Math.min(-0.1, ...intervals.map(({ low }) => cut(low))),
    high: Math.max(0.1, ...intervals.map(({ high }) => cut(high))),
  }
}

/** An uplift on an axis, at its end if it is beyond. */
export const within = ({ low, high }: Axis, n: number) => Math.max(low, Math.min(high, n))

/** An end of an interval; the server says ±1.8e308 where nothing bounds it. */
export const bound = (n: number) => (Math.abs(n) > 1e300 ? none : change(n))
