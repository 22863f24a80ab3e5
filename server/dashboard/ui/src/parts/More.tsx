import { words } from './words'

/** A button that shows more of what is long; nothing once all is shown. */
export function More({ left, onMore }: { left: boolean; onMore: () => void }) {
  if (!left) return null
  return (
    <p>
      <button type="button" onClick={onMore}>
        {words.more}
      </button>
    </p>
  )
}
