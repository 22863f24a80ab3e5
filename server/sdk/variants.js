// What the snippet loads when a page asks for variants. It asks the server by the OpenFeature Remote Evaluation Protocol, and keeps the last
// answer with its tag.

// newVariants returns what gives the value of a variant, or null: of those in shown, which the page has from its server, as experiment and
// variant, and otherwise of those that the server gives. sent sends that the visitor sees one.
export default ({ url, key }, tracker, shown, sent) => {
  const told = new Set()
  const tell = (experiment, variant, value, exposure) => {
    if (told.has(experiment)) return
    told.add(experiment)
    // The id is the same on all pages: the visitor counts once.
    if (exposure) sent(experiment, variant, exposure.exposureId)
    const detail = { experiment, variant, value }
    dispatchEvent(new CustomEvent('goalgraph:variant', { detail }))
    window.dataLayer?.push({ event: 'goalgraph:variant', ...detail })
  }
  for (const name in shown) tell(name, shown[name], shown[name], {})

  let asked
  const ask = async () => {
    const visitor = tracker.visitor()
    let tag, flags, of
    try { [tag, flags, of] = JSON.parse(tracker.read('variants')) } catch { /* nothing that this script has written */ }
    const mine = of === visitor
    try {
      const answer = await fetch(url + '/ofrep/v1/evaluate/flags', {
        method: 'POST',
        headers: { Authorization: 'Bearer ' + key, 'Content-Type': 'application/json', ...mine && { 'If-None-Match': tag } },
        body: JSON.stringify({ context: { targetingKey: visitor, url: location.href, referrer: document.referrer, locale: navigator.language } }),
      })
      if (answer.ok) {
        const given = (await answer.json()).flags
        tracker.write('variants', JSON.stringify([answer.headers.get('ETag'), given, visitor]))
        return given
      }
      if (answer.status === 304) return flags
    } catch { /* offline */ }
    asked = undefined // the next who wants a variant asks again
    return mine ? flags : []
  }
  return async (experiment, until) => {
    if (!experiment || experiment in shown) return shown[experiment]
    const flags = await (asked = asked || ask())
    const flag = flags.find(({ key }) => key === experiment)
    // After that time the page shows what it shows without an experiment.
    if (flag?.value === undefined || Date.now() > until) return null
    const { variant, value, metadata } = flag
    tell(experiment, variant, value, metadata?.exposureId && metadata)
    return value
  }
}
