// What the scripts for web pages share: who the visitor is, whether he may be tracked, and the messages that wait to be sent.

// A message that waits for longer is dropped. The server knows for eight days which messages it has, and could count one twice
// that is sent again later.
const oldest = 7 * 86_400_000
// At most so many messages wait, and characters of them; the oldest give way.
const most = 500
const mostCharacters = 1_000_000

const prefix = 'goalgraph.'

export const newID = () => crypto.randomUUID?.() || Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')

// whenShown makes a call; on a page that is only prerendered, when the visitor opens it, which may be never.
export const whenShown = (call) => {
  if (document.prerendering) document.addEventListener('prerenderingchange', call, { once: true })
  else call()
}

// whenVisible makes a call; in a tab that the visitor has not looked at yet, when he does.
export const whenVisible = (call) => {
  if (document.visibilityState === 'hidden') document.addEventListener('visibilitychange', () => whenVisible(call), { once: true })
  else call()
}

// newTracker returns what sends to a server with a key. Where consent is 'wait', or whatever but true, it keeps and sends nothing before
// consent is given. pass sees every message, and hands on what is to be sent of it.
export const newTracker = ({ url, key, consent, library, pass = (message, next) => next(message) }) => {
  const refused = !key || navigator.globalPrivacyControl || [navigator.doNotTrack, window.doNotTrack].some((asked) => asked === '1' || asked === 'yes')
  if (key === undefined) console.warn('goalgraph: no write key (data-key), so nothing is tracked')
  // true: messages are kept and sent; undefined: they wait in memory for consent; false: there are none.
  let may = !refused
  if (may && consent !== undefined && consent !== true) {
    try { may = !!localStorage.getItem(prefix + 'consent') || undefined } catch { may = undefined }
  }

  // What stays is in local storage; where that is refused, or consent is not given yet, it lasts as long as the page.
  let memory = {}
  const read = (name) => {
    try { if (may) return localStorage.getItem(prefix + name) ?? memory[name] } catch { /* refused */ }
    return memory[name]
  }
  const write = (name, value) => {
    memory[name] = value
    try { if (may) localStorage.setItem(prefix + name, value) } catch { /* full, or refused */ }
  }
  const names = (start) => Object.keys(localStorage).filter((name) => name.startsWith(prefix + start))
  const visitor = () => {
    if (!read('visitor')) write('visitor', newID())
    return read('visitor')
  }

  // The messages that are not acknowledged, each with the time of its call, and as JSON. Every page has a list of its own, so that two
  // tabs do not overwrite each other's; what a page left behind is taken over by another one.
  const mine = prefix + 'queue.' + newID()
  let queue = []
  const bound = () => {
    let room = mostCharacters
    const now = Date.now()
    queue = queue.slice(-most).reverse().filter(([at, text]) => Math.abs(now - at) < oldest && (room -= text.length) >= 0).reverse()
  }
  const keep = () => {
    try {
      if (!queue.length) localStorage.removeItem(mine)
      else if (may) localStorage.setItem(mine, JSON.stringify([Date.now(), queue]))
    } catch { /* full, or refused */ }
  }
  const inherit = () => {
    try {
      for (const name of names('queue.')) {
        if (name === mine) continue
        try {
          const [at, left] = JSON.parse(localStorage.getItem(name))
          if (Date.now() - at < 10_000) continue // a page that is open says so as long as it has something
          // Earlier versions of this script kept messages without their times.
          queue = left.map((message) => typeof message === 'string' ? [at, message] : message).concat(queue)
        } catch { /* nothing that a page left */ }
        localStorage.removeItem(name)
      }
    } catch { /* refused */ }
    bound()
    keep()
  }

  let sending = false
  let pause = 1000
  let batch = 50 // messages at once
  const body = (messages) => `{"batch":[${messages.map(([, text]) => text)}],"writeKey":${JSON.stringify(key)},"sentAt":"${new Date().toISOString()}"}`
  // What browsers send of a page that is gone is 64 KiB at most.
  const outlives = (text) => new Blob([text]).size < 60_000
  const flush = async () => {
    bound()
    if (!may || sending || !queue.length) return
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
  // Calls of one moment are kept and go together.
  let due = false
  const soon = () => {
    if (due) return
    due = true
    setTimeout(() => {
      due = false
      keep()
      flush()
    })
  }
  const leave = () => {
    if (!may) return
    bound()
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

  // An id is given to what is kept and sent, and to nothing before.
  const identified = ({ messageId = newID(), ...message }) => JSON.stringify({ messageId, anonymousId: visitor(), ...message })
  // allow begins to keep and to send, or erases all and stops.
  const allow = (given) => {
    if (refused || given === may) return
    may = given
    if (given) {
      for (const name in memory) write(name, memory[name])
      queue = queue.map(([at, text]) => [at, identified(JSON.parse(text))])
      inherit()
      flush()
    } else {
      memory = {}
      queue = []
      viewed = false
      try { names('').forEach((name) => localStorage.removeItem(name)) } catch { /* refused */ }
    }
  }

  const campaign = () => {
    const found = {}
    new URLSearchParams(location.search).forEach((value, name) => {
      if (name.startsWith('utm_')) found[name === 'utm_campaign' ? 'name' : name.slice(4)] = value
    })
    return found
  }
  let tags = []
  let viewed = false
  let { referrer } = document
  const send = (type, members) => {
    if (may === false) return
    const message = {
      type, userId: read('user') || undefined, timestamp: new Date().toISOString(), ...members,
      context: {
        page: { path: location.pathname, url: location.href, referrer, title: document.title }, userAgent: navigator.userAgent,
        locale: navigator.language, campaign: campaign(), tags: tags.length ? tags : undefined, library: { name: library }, ...members?.context,
      },
    }
    tags = []
    pass(message, (message) => {
      if (may === false) return
      try {
        queue.push([Date.now(), may ? identified(message) : JSON.stringify(message)])
      } catch (error) { // a value that JSON does not have
        console.warn('goalgraph:', error)
        return
      }
      bound()
      soon()
    })
  }

  if (!refused) {
    if (may) inherit()
    // What another tab is told of consent holds here too.
    addEventListener('storage', ({ key, newValue }) => { if (key === prefix + 'consent' && newValue) allow(newValue === 'true') })
    addEventListener('online', flush)
    addEventListener('pagehide', leave)
    document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'hidden') leave() })
    setInterval(() => {
      if (!may) return
      inherit()
      if (pause === 1000) flush()
    }, 5000)
  }

  return {
    refused, visitor, read, write, send, may: () => may,
    // page sends a page view. Only the first was reached from elsewhere; what happens on it says so too, and not only its view, since
    // either may be the first to arrive, and the only one.
    page: (members) => {
      if (viewed) referrer = ''
      viewed = true
      send('page', members)
    },
    // A tag goes with the next message, which is sent at once where there is none.
    tag: (name) => {
      if (may === false) return
      tags.push(name)
      setTimeout(() => { if (tags.length) send('identify', {}) })
    },
    identify: (userId, members) => {
      if (may !== false && userId) write('user', userId)
      send('identify', members)
    },
    // consent reports whether it was refused before. Only a consent is remembered: of a refusal nothing is left.
    consent: (given) => {
      const before = may
      allow(given === true)
      try {
        if (!refused) localStorage.setItem(prefix + 'consent', given === true)
        if (given !== true) localStorage.removeItem(prefix + 'consent')
      } catch { /* refused */ }
      return may === true && before === false
    },
  }
}
