import { useEffect, useState } from 'react'
import { useGo, useView } from './view'

const pause = 200

/** The view's search. What is typed in one go is one step. */
export function SearchField({ label }: { label: string }) {
  const { search } = useView()
  const go = useGo()
  const [text, setText] = useState(search)
  useEffect(() => setText(search), [search])
  useEffect(() => {
    if (text === search) return
    const timer = setTimeout(() => go({ search: text, page: 1 }, { replace: search !== '' }), pause)
    return () => clearTimeout(timer)
  }, [text, search, go])
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={({ target }) => setText(target.value)}
    />
  )
}

/** Whether one of the texts contains what is searched for, in any case. */
export function matches(search: string, ...texts: readonly string[]): boolean {
  const wanted = search.trim().toLocaleLowerCase()
  return texts.some((text) => text.toLocaleLowerCase().includes(wanted))
}
