import { density } from '../../parts/beta'
import { share } from '../../parts/format'
import { words } from '../../parts/words'
import { Lines } from './Lines'
import type { Metric } from './results'

const points = 160

/** How probable each conversion rate is, for each variant: the curves of which the intervals are the middle 95 %. */
export function Densities({ metric }: { metric: Metric }) {
  const variants = (metric.variants ?? []).filter(({ visitors }) => visitors > 0)
  if (variants.length === 0) return null
  const spread = Math.max(...variants.map(({ conversionRate: { low, high } }) => high - low))
  const from = Math.max(0, Math.min(...variants.map(({ conversionRate }) => conversionRate.low)) - spread / 2)
  const to = Math.min(1, Math.max(...variants.map(({ conversionRate }) => conversionRate.high)) + spread / 2)
  const rates = Array.from({ length: points + 1 }, (_, i) => from + ((to - from) * i) / points)
  const lines = variants.map(({ variant, conversions, visitors }) => ({
    name: variant.name,
    points: rates.map((rate) => [rate, density(rate, conversions, visitors)] as const),
  }))
  const top = Math.max(...lines.flatMap((line) => line.points.map(([, at]) => at)))
  return (
    <section className="stack" aria-labelledby="densities">
      <h2 id="densities">{words.densities}</h2>
      <p className="faint">{words.densitiesHelp(share(from), share(to))}</p>
      <Lines label={words.densities} lines={lines} from={from} to={to} top={top} />
    </section>
  )
}
