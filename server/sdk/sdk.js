// Goalgraph's snippet. It is served at /sdk.js, minified:
//
//   <script async src="https://goalgraph.example/sdk.js" data-key="WRITE_KEY"></script>
//
// window.goalgraph is the client: track(name, value), tag(name), identify(userId, traits), experimentViewed(experiment, variant) and
// page(). A page that calls it before the script has loaded puts the calls into a list: (goalgraph = window.goalgraph || []).push(['track', 'x', 1]).
(() => {
  const waiting = window.goalgraph
  if (waiting && waiting.track) return // a tag manager has put it into the page twice

  // A tag manager's script is not the current one: it is found by its address, or told by window.goalgraphSettings.
  const script = document.currentScript || document.querySelector('script[src*="/sdk.js"][data-key]')
  const settings = { ...script?.dataset, ...window.goalgraphSettings }
  const url = settings.url || (script ? new URL(script.src).origin : location.origin)
  const may = settings.key && !navigator.globalPrivacyControl && ![navigator.doNotTrack, window.doNotTrack].some((asked) => asked === '1' || asked === 'yes')

  const newID = () => crypto.randomUUID?.() || Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')

  // What stays is in local storage; where that is refused, it lasts as long as the page.
  const memory = {}
  const read = (name) => {
    try { return localStorage.getItem('goalgraph.' + name) ?? memory[name] } catch { return memory[name] }
  }
  const write = (name, value) => {
    memory[name] = value
    try { localStorage.setItem('goalgraph.' + name, value) } catch { /* full, or refused */ }
  }

  // The messages that are not acknowledged, each as JSON. Every page has a list of its own, so that two tabs do not overwrite each other's;
  // what a page left behind is taken over by another one.
  const most = 500
  const mine = 'goalgraph.queue.' + newID()
  let queue = []
  const keep = () => {
    try {
      if (queue.length) localStorage.setItem(mine, JSON.stringify([Date.now(), queue]))
      else localStorage.removeItem(mine)
    } catch { /* full, or refused */ }
  }
  const inherit = () => {
    try {
      for (const name of Object.keys(localStorage)) {
        if (!name.startsWith('goalgraph.queue.') || name === mine) continue
        try {
          const [at, left] = JSON.parse(localStorage.getItem(name))
          if (Date.now() - at < 10_000) continue // a page that is open says so as long as it has something
          queue = queue.concat(left)
        } catch { /* nothing that a page left */ }
        localStorage.removeItem(name)
      }
    } catch { /* refused */ }
  }

  let sending = false
  let pause = 1000
  let batch = 50 // messages at once
  const body = (messages) => `{"batch":[${messages}],"writeKey":${JSON.stringify(settings.key)},"sentAt":"${new Date().toISOString()}"}`
  // What browsers send of a page that is gone is 64 KiB at most.
  const outlives = (text) => new Blob([text]).size < 60_000
  const flush = async () => {
    if (sending || !queue.length) return
    sending = true
    const sent = queue.slice(0, batch)
    const text = body(sent)
    let status = 0
    try {
      // Plain text needs no leave of the server's, which would cost another request.
      const answer = await fetch(url + '/v1/batch', { method: 'POST', body: text, headers: { 'Content-Type': 'text/plain' }, keepalive: outlives(text) })
      status = answer.status
    } catch { /* offline */ }
    sending = false
    if (status === 413 && sent.length > 1) {
      batch = sent.length >> 1
      flush()
    } else if (status >= 200 && status < 300 || status >= 400 && status < 500 && status !== 408 && status !== 429) {
      queue = queue.filter((message) => !sent.includes(message)) // kept, or never to be
      keep()
      pause = 1000
      flush()
    } else {
      setTimeout(flush, pause * (1 + Math.random()))
      pause = Math.min(pause * 2, 60_000)
    }
  }
  const leave = () => {
    // Whether a beacon arrives nobody hears: what it carries is sent again later, and counts once by its messageId.
    for (let n = queue.length; n; n >>= 1) {
      const text = body(queue.slice(0, n))
      if (outlives(text)) {
        navigator.sendBeacon?.(url + '/v1/batch', text)
        break
      }
    }
    keep()
  }

  const campaign = () => {
    const found = {}
    new URLSearchParams(location.search).forEach((value, name) => {
      if (name.startsWith('utm_')) found[name === 'utm_campaign' ? 'name' : name.slice(4)] = value
    })
    return found
  }
  let tags = []
  let path
  let referrer = document.referrer
  const send = (type, members) => {
    if (!may) return
    let visitor = read('visitor')
    if (!visitor) write('visitor', visitor = newID())
    let message
    try {
      message = JSON.stringify({
        type, messageId: newID(), anonymousId: visitor, userId: read('user') || undefined, timestamp: new Date().toISOString(),
        context: {
          page: { path: location.pathname, url: location.href, referrer, title: document.title }, userAgent: navigator.userAgent,
          locale: navigator.language, campaign: campaign(), tags: tags.length ? tags : undefined, library: { name: 'goalgraph.js' },
        },
        ...members,
      })
    } catch (error) { // a value that JSON does not have
      console.warn('goalgraph:', error)
      return
    }
    queue.push(message)
    tags = []
    if (queue.length > most) queue.splice(0, queue.length - most)
    keep()
    // Calls of one moment go together.
    setTimeout(flush)
  }

  const client = {
    page: () => {
      path = location.pathname
      send('page', { properties: { path } })
      referrer = '' // the next page of this visit is reached from within
    },
    track: (event, value, properties) => send('track', { event, properties: { ...properties, value } }),
    // A tag goes with the next message, which is sent at once where there is none.
    tag: (name) => {
      if (may) tags.push(name)
      setTimeout(() => { if (tags.length) send('identify', {}) })
    },
    identify: (userId, traits) => {
      if (may) write('user', userId)
      send('identify', { traits })
    },
    experimentViewed: (experiment, variant) => client.track('Experiment Viewed', undefined, { experiment_id: experiment, variation_id: variant }),
    push: (...calls) => calls.forEach(([name, ...args]) => client[name] ? client[name](...args) : console.warn('goalgraph: there is no', name)),
  }
  window.goalgraph = client
  if (!may) return

  inherit()
  const moved = () => { if (location.pathname !== path) client.page() }
  for (const name of ['pushState', 'replaceState']) {
    const original = history[name]
    history[name] = function (...args) {
      const result = original.apply(this, args)
      moved()
      return result
    }
  }
  addEventListener('popstate', moved)
  addEventListener('online', flush)
  addEventListener('pagehide', leave)
  document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'hidden') leave() })
  setInterval(() => {
    if (queue.length) keep()
    inherit()
    if (pause === 1000) flush()
  }, 5000)
  client.page()
  if (Array.isArray(waiting)) client.push(...waiting)
})()
