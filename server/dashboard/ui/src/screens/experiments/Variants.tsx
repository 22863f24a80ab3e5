import { useId } from 'react'
import { Faults } from '../../parts/Faults'
import { words } from '../../parts/words'

/** A variant that is edited: the weight is a text until it is sent. */
export interface EditedVariant {
  readonly place: number
  readonly key: string
  readonly name: string
  readonly weight: string
}

interface VariantsProps {
  variants: readonly EditedVariant[]
  onVariants: (variants: readonly EditedVariant[]) => void
  baseline: string | null
  onBaseline: (key: string) => void
  faults: readonly string[]
}

const mostVariants = 20

/** The variants of an experiment, one of which is the baseline. */
export function Variants({ variants, onVariants, baseline, onBaseline, faults }: VariantsProps) {
  const id = useId()
  const set = (place: number, changed: Partial<EditedVariant>) =>
    onVariants(variants.map((variant) => (variant.place === place ? { ...variant, ...changed } : variant)))
  const add = () => {
    const place = Math.max(-1, ...variants.map((variant) => variant.place)) + 1
    onVariants([...variants, { place, key: '', name: '', weight: '1' }])
  }
  const isBaseline = (variant: EditedVariant, i: number) =>
    variants.some(({ key }) => key === baseline) ? variant.key === baseline : i === 0
  return (
    <fieldset className="box stack">
      <legend>{words.variants}</legend>
      <Faults faults={faults} />
      {variants.map((variant, i) => {
        const called = words.variantNumber(i + 1)
        return (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset within one needs a legend, which would stand in its own row.
          <div key={variant.place} className="row" role="group" aria-label={called}>
            <label className="field">
              <span className="faint">{words.key}</span>
              <input
                type="text"
                aria-label={`${called}: ${words.key}`}
                value={variant.key}
                onChange={({ target }) => set(variant.place, { key: target.value })}
              />
            </label>
            <label className="field">
              <span className="faint">{words.name}</span>
              <input
                type="text"
                aria-label={`${called}: ${words.name}`}
                value={variant.name}
                onChange={({ target }) => set(variant.place, { name: target.value })}
              />
            </label>
            <label className="field">
              <span className="faint">{words.weight}</span>
              <input
                type="text"
                inputMode="decimal"
                size={5}
                aria-label={`${called}: ${words.weight}`}
                value={variant.weight}
                onChange={({ target }) => set(variant.place, { weight: target.value })}
              />
            </label>
            <label className="row">
              <input type="radio" name={id} checked={isBaseline(variant, i)} onChange={() => onBaseline(variant.key)} />
              {words.baseline}
            </label>
            <button
              type="button"
              aria-label={words.remove(called)}
              onClick={() => onVariants(variants.filter(({ place }) => place !== variant.place))}
            >
              ×
            </button>
          </div>
        )
      })}
      {variants.length < mostVariants && (
        <p>
          <button type="button" onClick={add}>
            + {words.addVariant}
          </button>
        </p>
      )}
    </fieldset>
  )
}
