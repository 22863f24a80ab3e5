// Goalgraph's snippet. It is served at /sdk.js, minified:
//
//   <script async src="https://goalgraph.example/sdk.js" data-key="WRITE_KEY"></script>
//
// window.goalgraph is the client: track(name, value), tag(name), identify(userId, traits), experimentViewed(experiment, variant), page(),
// variant(experiment), a promise of the value that the visitor is given, and consent(given), before which nothing is kept or sent with data-consent="wait". A page that calls it before the script has loaded puts
// the calls into a list: (goalgraph = window.goalgraph || []).push(['track', 'x', 1]).
import { newTracker, whenShown, whenVisible } from './tracker.js'

const waiting = window.goalgraph

const start = () => {
  // A tag manager's script is not the current one: it is found by its address, or told by window.goalgraphSettings.
  const script = document.currentScript || document.querySelector('script[src*="/sdk.js"][data-key]')
  const settings = { url: new URL(script?.src ?? location.href).origin, ...script?.dataset, ...window.goalgraphSettings }

  let tracker
  let path
  let variants
  const calls = {
    page: () => {
      path = location.pathname
      tracker.page({ properties: { path } })
    },
    track: (event, value, properties) => tracker.send('track', { event, properties: { ...properties, value } }),
    tag: (name) => tracker.tag(name),
    identify: (userId, traits) => tracker.identify(userId, { traits }),
    experimentViewed: (experiment, variant, messageId) =>
      tracker.send('track', { messageId, event: 'Experiment Viewed', properties: { experiment_id: experiment, variation_id: variant } }),
    // Most pages need no variants: what gives them is loaded by those that do.
    variant: async (name, resolve) => {
      if (!tracker.may()) return resolve(null)
      const until = Date.now() + 500
      setTimeout(resolve, 500, null)
      variants = variants || import(settings.url + '/variants.js').then((loaded) => loaded.default(settings, tracker, client.variants, calls.experimentViewed))
      resolve(await (await variants)(name, until))
    },
    // Who consents after all is seen on the page that he is on.
    consent: (given) => {
      if (tracker.consent(given)) calls.page()
      if (settings.variants) client.variant() // it is reported now, or was and stays so
    },
  }
  const client = { push: (...list) => list.forEach(([name, ...args]) => calls[name] ? client[name](...args) : console.warn('goalgraph: there is no', name)) }
  for (const name in calls) client[name] = (...args) => whenShown(() => calls[name](...args))
  client.variant = (name, then) => new Promise((resolve) => { whenShown(() => calls.variant(name, resolve)) }).then(then)
  try { client.variants = JSON.parse(settings.variants) } catch { client.variants = {} }
  window.goalgraph = client

  whenShown(() => {
    tracker = newTracker({ ...settings, library: 'goalgraph.js' })
    const early = waiting?.map ? waiting : []
    if (tracker.refused) return client.push(...early) // which gives no variants
    if (settings.variants) client.variant()
    const isConsent = ([name]) => name === 'consent'
    client.push(...early.filter(isConsent))
    const moved = () => { if (location.pathname !== path) calls.page() }
    // A tab that was opened in the background is viewed when it is looked at, with the page that it then has.
    const view = () => path === undefined ? whenVisible(moved) : moved()
    view()
    client.push(...early.filter((call) => !isConsent(call)))
    for (const name of ['pushState', 'replaceState']) {
      const original = history[name]
      history[name] = function (...args) {
        const result = original.apply(this, args)
        view()
        return result
      }
    }
    addEventListener('popstate', view)
  })
}
if (!waiting?.track) start() // a tag manager may put it into the page twice
