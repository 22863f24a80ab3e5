import { type KeyboardEvent, useId, useState } from 'react'
import { words } from '../words'
import styles from './Combobox.module.css'

/** What can be chosen. */
export interface Option {
  readonly value: string
  readonly text: string
  /** More about it, in a few words. */
  readonly detail: string
}

interface ComboboxProps {
  label: string
  placeholder: string
  text: string
  onText: (text: string) => void
  onFocus?: () => void
  options: readonly Option[]
  /** Takes an option's value or, with `free`, what was typed. */
  onChoose: (value: string) => void
  free?: boolean
  invalid?: boolean
  describedBy?: string
  onBackspace?: () => void
}

/** A text field that completes what is typed, as the pattern of ARIA has it: the focus stays in the field. */
export function Combobox(props: ComboboxProps) {
  const {
    label,
    placeholder,
    text,
    onText,
    options,
    onChoose,
    free = false,
    invalid = false,
    describedBy,
    onBackspace,
  } = props
  const id = useId()
  const [open, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const isOpen = open && options.length > 0
  const at = isOpen && active >= 0 && active < options.length ? active : -1

  const choose = (value: string) => {
    onChoose(value)
    setOpen(false)
    setActive(-1)
  }
  const move = (by: number) => {
    setOpen(true)
    const next = at < 0 ? (by > 0 ? 0 : options.length - 1) : (at + by + options.length) % options.length
    setActive(next)
    document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: 'nearest' })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    switch (event.key) {
      case 'ArrowDown':
      case 'ArrowUp':
        event.preventDefault()
        move(event.key === 'ArrowDown' ? 1 : -1)
        return
      case 'Enter': {
        event.preventDefault()
        const chosen = options[at] ?? (free ? undefined : isOpen && text !== '' ? options[0] : undefined)
        if (chosen) choose(chosen.value)
        else if (free && text.trim() !== '') choose(text.trim())
        return
      }
      case 'Escape':
        if (!isOpen) return
        // It closes the list, and not also the panel around it.
        event.preventDefault()
        event.stopPropagation()
        setOpen(false)
        return
      case 'Backspace':
        if (text === '') onBackspace?.()
    }
  }
  return (
    <div className={styles.combobox}>
      <input
        type="text"
        role="combobox"
        aria-label={label}
        aria-autocomplete="list"
        aria-expanded={isOpen}
        aria-controls={`${id}-list`}
        aria-activedescendant={at < 0 ? undefined : `${id}-${at}`}
        aria-invalid={invalid}
        aria-describedby={describedBy}
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        value={text}
        onChange={({ target }) => {
          onText(target.value)
          setOpen(true)
          setActive(-1)
        }}
        onFocus={() => {
          setOpen(true)
          props.onFocus?.()
        }}
        onBlur={() => {
          setOpen(false)
          // What was typed is meant, also by those who go on without Enter.
          if (free && text.trim() !== '') onChoose(text.trim())
        }}
        onKeyDown={onKeyDown}
      />
      <div id={`${id}-list`} role="listbox" aria-label={label} className={styles.list} hidden={!isOpen}>
        {isOpen &&
          options.map((option, i) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys.
            // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the active option.
            <div
              key={option.value}
              id={`${id}-${i}`}
              role="option"
              aria-selected={i === at}
              className={styles.option}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => choose(option.value)}
            >
              <bdi>{option.text}</bdi>
              <span className="faint">{option.detail}</span>
            </div>
          ))}
      </div>
      <span role="status" className="hidden">
        {isOpen ? words.suggestions(options.length) : ''}
      </span>
    </div>
  )
}
