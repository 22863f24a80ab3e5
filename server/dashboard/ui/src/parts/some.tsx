import { type ReactNode, useState } from 'react'
import { More } from './More'

const page = 200

/** The first of many, and a button that shows more of them; none where all are shown. */
export function useSome<T>(all: readonly T[]): { shown: readonly T[]; more: ReactNode } {
  const [most, setMost] = useState(page)
  return {
    shown: all.slice(0, most),
    more: <More left={all.length > most} onMore={() => setMost(most + page)} />,
  }
}
