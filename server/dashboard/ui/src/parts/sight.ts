import { useCallback, useDeferredValue, useState } from 'react'

/**
 * A value that an element shows: at once while the element is in sight, and elsewhere once there is time, so that what is seen
 * need not wait for what is not. The ref is for the element.
 */
export function useInSight<Value>(value: Value): [value: Value, ref: (element: Element | null) => () => void] {
  const [inSight, setInSight] = useState(true)
  const late = useDeferredValue(value)
  const ref = useCallback((element: Element | null) => {
    const observer = new IntersectionObserver((entries) => setInSight(entries.at(-1)?.isIntersecting ?? true))
    if (element) observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return [inSight ? value : late, ref]
}
