// What Jitsu's HTML snippet loads, served at /p.js, minified:
//
//   <script async src="https://goalgraph.example/p.js" data-write-key="WRITE_KEY"></script>
//
// It puts Jitsu's client into window.jitsu, on top of the tracker of Goalgraph's own snippet: messages go to the server that it was loaded
// from, without cookies. As with Jitsu, calls that wait are in window.jitsuQ.
import { newID, newTracker, whenShown, whenVisible } from './tracker.js'

const script = document.currentScript || document.querySelector('script[src*="/p.js"][data-write-key]')
const isTrue = (value) => value === true || ['true', '1', 'yes'].includes(value)

const start = () => {
  const data = script?.dataset || {}
  const options = { ...window.jitsuConfig, ...data }
  const name = options.namespace || 'jitsu'
  let tracker
  let traits = {}
  let context = {}
  const done = () => Promise.resolve()
  const send = (call) => {
    whenShown(call)
    return done()
  }
  const page = (title, properties) => {
    const told = typeof title === 'object' ? title : properties
    tracker.page({ name: typeof title === 'string' ? title : undefined, properties: { path: location.pathname, ...told }, context })
  }
  // Jitsu tracks no one by dontSend, and visits of nobody by disableUserIds, of which there are none here.
  const isRefusal = (privacy) => isTrue(privacy?.dontSend) || isTrue(privacy?.disableUserIds)
  const client = {
    page: (...args) => send(() => page(...args)),
    track: (event, properties) => send(() => tracker.send('track', { event, properties, context })),
    identify: (id, told) => send(() => {
      const userId = id && typeof id !== 'object' ? String(id) : undefined
      const more = typeof id === 'object' ? id : told
      traits = { ...traits, ...more }
      tracker.identify(userId, { ...userId && { userId }, traits: more, context })
    }),
    group: (groupId, told) => send(() => tracker.send('group', { groupId: String(groupId), traits: told, context })),
    reset: () => send(() => {
      tracker.write('user', '')
      tracker.write('visitor', newID())
      traits = {}
    }),
    setAnonymousId: (id) => { whenShown(() => tracker.write('visitor', id)) },
    user: () => tracker ? { id: tracker.read('user') || undefined, userId: tracker.read('user') || undefined, anonymousId: tracker.visitor(), traits } : {},
    setContextProperty: (key, value) => { context = { ...context, [key]: value } },
    getContextProperty: (key) => context[key],
    configure: ({ privacy } = {}) => send(() => { if (privacy) tracker.consent(!isRefusal(privacy)) }),
    consent: (given) => send(() => tracker.consent(given)),
    getConfiguration: () => options,
  }
  const run = (call) => {
    try {
      if (typeof call === 'function') call(client)
      else client[call[0]](...call.slice(1))
    } catch (error) {
      console.warn('goalgraph: a call of', name + 'Q', 'failed:', error)
    }
  }

  whenShown(() => {
    tracker = newTracker({
      url: script ? new URL(script.src).origin : location.origin, consent: window.goalgraphSettings?.consent, library: '@jitsu/js',
      key: (options.writeKey || '').split(':')[0],
    })
    if (isRefusal({ dontSend: options.privacyDontSend, disableUserIds: options.privacyDisableUserIds }) || isRefusal(options.privacy)) tracker.consent(false)
    if (options.userId) tracker.identify(options.userId, { userId: options.userId, context })
  })
  window[name] = client
  if (options.onload) window[options.onload]?.(client)
  const early = window[name + 'Q'] || []
  window[name + 'Q'] = { push: (...calls) => calls.forEach(run) }
  whenShown(() => {
    for (const call of early) run(call)
    if (!isTrue(options.initOnly)) whenVisible(page)
  })
}
if (!window[script?.dataset.namespace || 'jitsu']?.getConfiguration) start()
