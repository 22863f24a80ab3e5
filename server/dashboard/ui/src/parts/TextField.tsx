import { useId } from 'react'
import { Faults } from './Faults'

interface TextFieldProps {
  label: string
  help?: string
  value: string
  onChange: (value: string) => void
  required?: boolean
  faults: readonly string[]
}

/** A text with its label, its help, and what is wrong with it. */
export function TextField({ label, help = '', value, onChange, required = false, faults }: TextFieldProps) {
  const id = useId()
  const described = [help === '' ? '' : `${id}-help`, faults.length === 0 ? '' : `${id}-faults`].join(' ').trim()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="text"
        value={value}
        aria-required={required}
        aria-invalid={faults.length > 0}
        aria-describedby={described === '' ? undefined : described}
        onChange={({ target }) => onChange(target.value)}
      />
      {help !== '' && (
        <p id={`${id}-help`} className="faint">
          {help}
        </p>
      )}
      <Faults id={`${id}-faults`} faults={faults} />
    </div>
  )
}
