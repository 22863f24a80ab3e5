import { useEffect } from 'react'
import { words } from './words'

/** Names the page, while it is there. What comes after it in the page may give it another name. */
export function Title({ text, site }: { text: string; site: string | null }) {
  const title = words.pageTitle(text, site)
  useEffect(() => {
    const before = document.title
    document.title = title
    return () => {
      document.title = before
    }
  }, [title])
  return null
}
