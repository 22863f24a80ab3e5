import { useId } from 'react'
import { Faults } from './Faults'

interface SelectFieldProps<Value extends string> {
  label: string
  value: Value
  /** What can be chosen, and what each is called. */
  choices: { readonly [value in Value]: string }
  onChange: (value: Value) => void
  faults?: readonly string[]
}

/** A choice of one of a few, with its label and what is wrong with it. */
export function SelectField<Value extends string>({
  label,
  value,
  choices,
  onChange,
  faults = [],
}: SelectFieldProps<Value>) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={value}
        aria-invalid={faults.length > 0}
        aria-describedby={faults.length > 0 ? `${id}-faults` : undefined}
        onChange={({ target }) => onChange(target.value as Value)}
      >
        {Object.entries<string>(choices).map(([choice, name]) => (
          <option key={choice} value={choice}>
            {name}
          </option>
        ))}
      </select>
      <Faults id={`${id}-faults`} faults={faults} />
    </div>
  )
}
