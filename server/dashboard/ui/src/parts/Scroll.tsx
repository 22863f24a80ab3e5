import type { ReactNode } from 'react'

/** Holds a table that may be wider than the page. The label says what it shows. */
export function Scroll({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer scrolls a wide table by the keyboard.
    <section className="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  )
}
