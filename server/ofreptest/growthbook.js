// Allocates visitors as GrowthBook's SDK does. It reads {ids, experiments} from standard input, and writes for each experiment the variants of
// all visitors by their places, "-" for none.
import { readFileSync } from 'node:fs'
import { GrowthBook } from '@growthbook/growthbook'

const { ids, experiments } = JSON.parse(readFileSync(0, 'utf8'))
const book = new GrowthBook({ url: '' })
const chosen = experiments.map(() => [])
for (const id of ids) {
  book.setAttributes({ id })
  experiments.forEach(({ seed, weights, coverage, namespace }, i) => {
    const { inExperiment, variationId } = book.run({ key: seed, seed, hashVersion: 2, variations: weights.map((_, n) => n), weights, coverage, namespace })
    chosen[i].push(inExperiment ? variationId : '-')
  })
}
process.stdout.write(JSON.stringify(chosen.map((list) => list.join(''))))
