import { useSyncExternalStore } from 'react'

const query = window.matchMedia('(max-width: 40rem)')

function onChange(listener: () => void) {
  query.addEventListener('change', listener)
  return () => query.removeEventListener('change', listener)
}

/** Whether the page is as narrow as a phone. */
export const useNarrow = () => useSyncExternalStore(onChange, () => query.matches)
