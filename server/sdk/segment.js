// What the HTML snippets of Segment and Customer.io load, served where they ask for it and minified. It puts their client into the place of
// their queue, on top of the tracker of Goalgraph's own snippet: messages go to the server that it was loaded from, without cookies.
import { newID, newTracker, whenShown } from './tracker.js'

// The address has the write key: /analytics.js/v1/KEY/analytics.min.js, /v1/analytics-js/snippet/KEY/analytics.min.js.
const script = document.currentScript || document.querySelector('script[src*="/analytics.min.js"]')
const name = script?.dataset.globalSegmentAnalyticsKey || script?.dataset.globalCustomerioAnalyticsKey || 'analytics'
const waiting = window[name] || []

const isText = (value) => typeof value === 'string'
const isFunction = (value) => typeof value === 'function'
const isObject = (value) => Object.prototype.toString.call(value) === '[object Object]'
// defined leaves out what is undefined, which would hide what the tracker knows.
const defined = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

const start = () => {
  const [, key] = /\/(?:analytics\.js\/v1|v1\/analytics-js\/snippet)\/([^/]+)\//.exec(script?.src) || []
  const options = waiting._loadOptions || {}
  const disabled = isFunction(options.disable) ? options.disable({}) : options.disable
  const middlewares = []
  let tracker
  let traits = {}
  let group = {}

  const listeners = {}
  const emit = (event, ...args) => (listeners[event] || []).slice().forEach((listener) => listener(...args))

  // deliver sends a message, and returns the promise that the client returns. The last of the arguments of a call that waited in the queue
  // says on which page that was.
  const deliver = (type, members, { context, timestamp, userId, anonymousId, messageId } = {}, { callback, at } = {}) => {
    const page = at && { path: at.p, url: at.u, search: at.s, title: at.t, referrer: at.r }
    members = { ...members, ...defined({ timestamp, userId, anonymousId, messageId }), context: { ...page && { page }, ...context } }
    if (type === 'page') tracker.page({ ...members, properties: { path: page ? page.path : location.pathname, ...members.properties } })
    else if (type === 'identify') tracker.identify(members.userId, members)
    else tracker.send(type, members)
    const result = { event: { type, ...members } }
    return new Promise((resolve) => {
      setTimeout(() => {
        callback?.(result)
        resolve(result)
      })
    })
  }
  // extra takes what stands behind the arguments of a call proper out of them.
  const extra = (args) => {
    const at = args.find((value) => value?.__t === 'bpc')
    return [args.filter((value) => at === undefined || value !== at), { at, callback: args.find(isFunction) }]
  }

  const view = (type) => (...all) => {
    const [args, rest] = extra(all)
    const texts = args.filter(isText)
    const objects = args.filter(isObject)
    const category = texts.length > 1 ? texts[0] : undefined
    const title = texts.length > 1 ? texts[1] : texts[0]
    const [told, options] = objects.length === 1 && args[3] === objects[0] ? [{}, objects[0]] : objects
    const properties = { ...told, ...defined({ name: title, category }) }
    emit(type, category, title, properties, options)
    return deliver(type, { name: title, category, properties }, options, rest)
  }
  const about = (args) => {
    const id = isText(args[0]) || typeof args[0] === 'number' ? String(args[0]) : undefined
    const [told, options] = isObject(args[0]) ? args : args.slice(1)
    return [id, isObject(told) ? told : {}, isObject(options) ? options : {}]
  }
  const methods = {
    page: view('page'),
    screen: view('screen'),
    pageview: (url) => methods.page(url ? { path: url } : {}),
    track: (...all) => {
      const [args, rest] = extra(all)
      const [event, ...objects] = isObject(args[0]) ? [args[0].event, args[0].properties, args[1]] : args
      const [properties, options] = [0, 1].map((i) => isObject(objects[i]) ? objects[i] : {})
      if (!isText(event)) return Promise.reject(new Error('analytics.track: the name of the event is missing'))
      emit('track', event, properties, options)
      return deliver('track', { event, properties }, options, rest)
    },
    identify: (...all) => {
      const [args, rest] = extra(all)
      const [userId, told, options] = about(args)
      traits = { ...userId && userId !== tracker.read('user') ? {} : traits, ...told }
      emit('identify', userId, told, options)
      return deliver('identify', defined({ userId, traits: told }), options, rest)
    },
    group: (...all) => {
      if (!all.length) return { id: () => group.id, traits: () => group.traits }
      const [args, rest] = extra(all)
      const [groupId, told, options] = about(args)
      group = { id: groupId, traits: told }
      emit('group', groupId, told, options)
      return deliver('group', defined({ groupId, traits: told }), options, rest)
    },
    alias: (...all) => {
      const [args, rest] = extra(all)
      const [to, from] = args.filter((value) => isText(value) || typeof value === 'number').map(String)
      const options = args.find(isObject)
      emit('alias', to, from, options)
      const previousId = from || tracker.read('user') || tracker.visitor()
      return deliver('alias', { userId: to, previousId }, options, rest)
    },
    setAnonymousId: (id) => {
      tracker.write('visitor', id || newID())
      return tracker.visitor()
    },
    reset: () => {
      tracker.write('user', '')
      tracker.write('visitor', newID())
      traits = {}
      group = {}
      emit('reset')
    },
    user: () => ({ id: () => tracker.read('user') || null, anonymousId: tracker.visitor, traits: () => traits }),
    ready: (callback) => Promise.resolve().then(() => callback?.()),
    on: (event, listener) => { (listeners[event] ||= []).push(listener) },
    once: (event, listener) => {
      const first = (...args) => {
        methods.off(event, first)
        listener(...args)
      }
      methods.on(event, first)
    },
    off: (event, listener) => { listeners[event] = (listeners[event] || []).filter((other) => other !== listener) },
    addSourceMiddleware: (...list) => { middlewares.push(...list) },
    consent: (given) => { tracker.consent(given) },
    debug: () => {},
    load: () => {},
  }
  // What is on its way when a page is left is sent all the same, so that links and forms need not wait.
  const upon = (happening) => (elements, event, properties) => {
    const list = elements instanceof Element ? [elements] : Array.from(elements?.toArray?.() || elements || [])
    list.forEach((element) => element.addEventListener(happening, () => {
      methods.track(isFunction(event) ? event(element) : event, isFunction(properties) ? properties(element) : properties)
    }))
  }
  methods.trackLink = methods.trackClick = upon('click')
  methods.trackForm = methods.trackSubmit = upon('submit')
  for (const none of ['addDestinationMiddleware', 'addIntegrationMiddleware', 'register']) {
    methods[none] = () => console.warn(`goalgraph: analytics.${none} does nothing, because there are no integrations`)
  }

  // A middleware sees each message, and hands on what is to be sent of it: nothing, with null.
  const pass = (message, send, from = 0) => {
    if (from === middlewares.length) return send(message)
    middlewares[from]({ payload: { obj: message }, integrations: {}, next: (payload) => { if (payload) pass(payload.obj, send, from + 1) } })
  }

  whenShown(() => {
    tracker = newTracker({
      url: script ? new URL(script.src).origin : location.origin, consent: window.goalgraphSettings?.consent, library: 'analytics.js', pass,
      key: disabled ? '' : key || waiting._writeKey,
    })
    const client = { ...methods, initialized: true, initialize: () => {}, push: (...calls) => calls.forEach(([method, ...args]) => run(method, args)) }
    const run = (method, args) => methods[method] ? client[method](...args) : console.warn('goalgraph: there is no', method)
    window[name] = client
    // What says how messages are sent comes before them.
    const first = ([method]) => ['consent', 'setAnonymousId', 'addSourceMiddleware', 'on', 'once'].includes(method)
    const early = Array.from(waiting)
    client.push(...early.filter(first))
    if (options.initialPageview) client.page()
    emit('initialize')
    client.push(...early.filter((call) => !first(call)))
  })
}
if (!waiting.initialized && !waiting.loading) {
  waiting.loading = true // while the page is prerendered, it may be loaded twice
  start()
}
