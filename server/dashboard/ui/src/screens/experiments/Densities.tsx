import type { FilterInput } from '../../api/graphql'
import { useLive } from '../../api/live'
import { share } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { words } from '../../parts/words'
import { Lines } from './Lines'
import { followDensities } from './results'

interface DensitiesProps {
  experiment: string
  goal: string
  filters: FilterInput[]
}

/** How probable each conversion rate is, for each variant: the curves of which the intervals are the middle 95 %. */
export function Densities({ experiment, goal, filters }: DensitiesProps) {
  const { data, problems } = useLive(followDensities, { id: experiment, goal, filters })
  const lines = (data?.experimentResults.metrics[0]?.variants ?? [])
    .filter(({ visitors }) => visitors > 0)
    .map(({ variant, density }) => ({
      name: variant.name,
      points: (density ?? []).map(({ x, y }) => [x, y] as const),
    }))
  const points = lines.flatMap((line) => line.points)
  if (points.length === 0) return <Problems problems={problems} />
  const rates = points.map(([rate]) => rate)
  const [from, to] = [Math.min(...rates), Math.max(...rates)]
  return (
    <section className="stack" aria-labelledby="densities">
      <h2 id="densities">{words.densities}</h2>
      <p className="faint">{words.densitiesHelp(share(from), share(to))}</p>
      <Problems problems={problems} />
      <Lines
        label={words.densities}
        lines={lines}
        from={from}
        to={to}
        top={Math.max(...points.map(([, density]) => density))}
      />
    </section>
  )
}
