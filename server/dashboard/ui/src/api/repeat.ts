import { useEffect } from 'react'

/** Calls a function every so many milliseconds while the page is looked at: for what cannot be followed. */
export function useRepeat(again: () => void, milliseconds: number) {
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) again()
    }, milliseconds)
    return () => clearInterval(timer)
  }, [again, milliseconds])
}
