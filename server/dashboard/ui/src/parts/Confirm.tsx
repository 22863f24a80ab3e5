import { useEffect, useRef, useState } from 'react'
import { words } from './words'

interface ConfirmProps {
  /** What the button says, and what it is called. */
  text: string
  label: string
  question: string
  /** How it looks: as what is bad to do by mistake, unless told otherwise. */
  tone?: 'bad' | 'primary'
  onConfirm: () => void
}

/** A button for what cannot be undone: it asks once more, in its place. */
export function Confirm({ text, label, question, tone = 'bad', onConfirm }: ConfirmProps) {
  const [asked, setAsked] = useState(false)
  const cancel = useRef<HTMLButtonElement>(null)
  const first = useRef<HTMLButtonElement>(null)
  const was = useRef(false)
  useEffect(() => {
    if (asked) cancel.current?.focus()
    else if (was.current) first.current?.focus()
    was.current = asked
  }, [asked])
  if (!asked) {
    return (
      <button
        ref={first}
        type="button"
        className={tone === 'primary' ? tone : undefined}
        aria-label={label}
        onClick={() => setAsked(true)}
      >
        {text}
      </button>
    )
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: it stands in a row of buttons, and is no form.
    <span className="row" role="group" aria-label={question}>
      <span>{question}</span>
      <button
        type="button"
        className={tone}
        onClick={() => {
          setAsked(false)
          onConfirm()
        }}
      >
        {text}
      </button>
      <button ref={cancel} type="button" onClick={() => setAsked(false)}>
        {words.cancel}
      </button>
    </span>
  )
}
