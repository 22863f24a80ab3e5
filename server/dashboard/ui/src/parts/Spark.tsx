import { max } from 'd3-array'
import { line } from 'd3-shape'
import { memo } from 'react'

interface SparkProps {
  /** The shares, one for each interval; null without sessions. */
  readonly points: readonly (number | null)[]
  readonly width?: number
  readonly height?: number
}

const margin = 2

/** A line of shares from 0 up, without axes. It says nothing that is not also said in words. */
export const Spark = memo(
  function Spark({ points, width = 96, height = 24 }: SparkProps) {
    const top = max(points, (p) => p ?? 0) || 1
    const x = (i: number) => margin + (points.length < 2 ? 0 : (i / (points.length - 1)) * (width - 2 * margin))
    const y = (p: number) => height - margin - (p / top) * (height - 2 * margin)
    const path = line<number | null>()
      .defined((p) => p !== null)
      .x((_, i) => x(i))
      .y((p) => y(p ?? 0))(points)
    return (
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        preserveAspectRatio="none"
        aria-hidden="true"
        focusable="false"
      >
        <path d={`M${margin} ${height - 1}H${width - margin}`} stroke="var(--line)" />
        <path
          d={path ?? ''}
          fill="none"
          stroke="var(--accent)"
          strokeWidth="1.5"
          vectorEffect="non-scaling-stroke"
          strokeLinejoin="round"
          strokeLinecap="round"
        />
      </svg>
    )
  },
  (a, b) =>
    a.width === b.width &&
    a.height === b.height &&
    a.points.length === b.points.length &&
    a.points.every((p, i) => p === b.points[i]),
)
