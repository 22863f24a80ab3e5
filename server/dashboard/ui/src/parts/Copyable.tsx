import { useState } from 'react'
import { Scroll } from './Scroll'
import { words } from './words'

/** Text to copy: the button tells when it is copied. */
export function Copyable({ label, text }: { label: string; text: string }) {
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    // Without HTTPS browsers have no clipboard: the text is there to be selected.
    const done = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    )
    setCopied(done === true)
  }
  return (
    <div className="stack">
      <Scroll label={label}>
        <pre className="code">{text}</pre>
      </Scroll>
      <p className="row">
        <button type="button" aria-label={words.named(words.copy, label)} onClick={copy}>
          {words.copy}
        </button>
        <span role="status">{copied ? words.copied : ''}</span>
      </p>
    </div>
  )
}
