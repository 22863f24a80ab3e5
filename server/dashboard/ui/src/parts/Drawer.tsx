import { type ReactNode, useId, useLayoutEffect, useRef } from 'react'
import styles from './Drawer.module.css'
import { useGo } from './view'
import { words } from './words'

/**
 * A panel beside the screen. It is part of the view: closing it is a step, and Back opens it again. The focus goes in with it and
 * back to where it came from.
 */
export function Drawer({ title, children }: { title: string; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null)
  // Who selects text and lets go beside the panel has not clicked beside it.
  const pressed = useRef<EventTarget>(null)
  const go = useGo()
  const heading = useId()
  // Before the element goes: only a dialog that is there gives the focus back.
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])
  const close = () => go({ panel: null })
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog, which is what a click beside it does.
    <dialog
      ref={dialog}
      className={styles.drawer}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault()
        close()
      }}
      onPointerDown={({ target }) => {
        pressed.current = target
      }}
      onClick={({ target }) => {
        if (target === dialog.current && pressed.current === target) close()
      }}
    >
      <div className={styles.head}>
        {/* biome-ignore lint/a11y/noAutofocus: who opens a panel goes into it, and hears its title first. */}
        <h2 id={heading} tabIndex={-1} autoFocus>
          {title}
        </h2>
        <button type="button" onClick={close}>
          {words.close}
        </button>
      </div>
      <div className={styles.body}>{children}</div>
    </dialog>
  )
}
