type Parts = { [name: string]: unknown }

const isObject = (value: unknown): value is Parts =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * What follows an answer, with all parts that are what they were taken from the former one: who draws them sees that nothing has
 * changed without looking into them. Both are values of JSON. The next one is changed in place, and of no use by itself any longer.
 */
export function shared<Value>(former: unknown, next: Value): Value {
  if (Array.isArray(former) && Array.isArray(next)) {
    let same = former.length === next.length
    for (let i = 0; i < next.length; i++) {
      next[i] = shared(former[i], next[i])
      same = same && next[i] === former[i]
    }
    return same ? (former as Value) : next
  }
  if (isObject(former) && isObject(next)) {
    const parts: Parts = next
    const names = Object.keys(parts)
    let same = Object.keys(former).length === names.length
    for (const name of names) {
      parts[name] = shared(former[name], parts[name])
      same = same && parts[name] === former[name]
    }
    return same ? (former as Value) : next
  }
  return next
}
