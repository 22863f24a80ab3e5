import { area, line } from 'd3-shape'
import styles from './Experiments.module.css'

/** A line of a picture, with its name. The points are in the picture's own units; what is null interrupts the line. */
export interface Line {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number | null])[]
  /** What surrounds the line: its bounds. */
  readonly band?: readonly (readonly [x: number, low: number, high: number])[]
}

interface LinesProps {
  label: string
  lines: readonly Line[]
  /** The ends of the axes. The lower one of y is 0 unless given. */
  from: number
  to: number
  bottom?: number
  top: number
}

const width = 600
const height = 140

// Told apart by dashes too, for those who do not see colours.
const dashes = ['', '6 3', '2 3', '9 3 2 3']
const colour = (i: number) => `var(--series-${i % 4})`

/** Some lines on common axes, with a legend and a line at 0. It says nothing that is not also said in words. */
export function Lines({ label, lines, from, to, bottom = 0, top }: LinesProps) {
  const x = (at: number) => ((at - from) / (to - from || 1)) * width
  const y = (at: number) => height - ((at - bottom) / (top - bottom || 1)) * (height - 6) - 2
  return (
    <figure className="stack">
      <svg
        className={styles.lines}
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={label}
      >
        <path d={`M0 ${y(0)}H${width}`} stroke="var(--line)" vectorEffect="non-scaling-stroke" />
        {lines.map(
          ({ name, band }, i) =>
            band && (
              <path
                key={name}
                d={
                  area<(typeof band)[number]>()
                    .x(([at]) => x(at))
                    .y0(([, low]) => y(low))
                    .y1(([, , high]) => y(high))(band) ?? ''
                }
                fill={colour(i)}
                fillOpacity="0.15"
              />
            ),
        )}
        {lines.map(({ name, points }, i) => (
          <path
            key={name}
            d={
              line<(typeof points)[number]>()
                .defined(([, at]) => at !== null)
                .x(([at]) => x(at))
                .y(([, at]) => y(at ?? 0))(points) ?? ''
            }
            fill="none"
            stroke={colour(i)}
            strokeWidth="2"
            strokeLinecap="round"
            strokeDasharray={dashes[i % dashes.length]}
            vectorEffect="non-scaling-stroke"
          />
        ))}
      </svg>
      <figcaption className="row">
        {lines.map(({ name }, i) => (
          <span key={name} className="row">
            <svg width="28" height="8" aria-hidden="true" focusable="false">
              <path d="M0 4H28" stroke={colour(i)} strokeWidth="3" strokeDasharray={dashes[i % dashes.length]} />
            </svg>
            <bdi>{name}</bdi>
          </span>
        ))}
      </figcaption>
    </figure>
  )
}
