import { max } from 'd3-array'
import { line } from 'd3-shape'
import { memo } from 'react'
import styles from './Spark.module.css'

/** A point of a line: a share, null without sessions. */
interface Point {
  readonly conversionRate: number | null
}

interface SparkProps {
  /** One for each interval. */
  readonly points: readonly Point[]
  readonly width?: number
  readonly height?: number
}

const margin = 2

/** A line of shares from 0 up, without axes. It says nothing that is not also said in words. */
export const Spark = memo(function Spark({ points, width = 96, height = 24 }: SparkProps) {
  const top = max(points, ({ conversionRate }) => conversionRate ?? 0) || 1
  const step = points.length < 2 ? 0 : (width - 2 * margin) / (points.length - 1)
  const path = line<Point>()
    .defined(({ conversionRate }) => conversionRate !== null)
    .x((_, i) => margin + i * step)
    .y(({ conversionRate }) => height - margin - ((conversionRate ?? 0) / top) * (height - 2 * margin))(points)
  return (
    <svg
      className={styles.spark}
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      <path d={path ?? ''} />
    </svg>
  )
})
