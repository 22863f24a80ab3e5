// Puts a server to what the protocols of graphql-ws and graphql-sse say of servers, with these packages as the clients:
// node conformance.mjs URL PATH SITE. Each case is a line of JSON with its name, and with what is wrong where something is.
import assert from 'node:assert/strict'
import { CloseCode, createClient, GRAPHQL_TRANSPORT_WS_PROTOCOL, MessageType, parseMessage, stringifyMessage } from 'graphql-ws'
import { createClient as createEventClient } from 'graphql-sse'
import WebSocket from 'ws'

const [url, path, site] = process.argv.slice(2)
const graphql = url + path, socketURL = graphql.replace(/^http/, 'ws')
const live = {
  query: 'subscription ($site: ID!) { goalCards(siteId: $site, range: { from: "2015-01-01T00:00:00Z" }) { goal { key } cells { sessions } } }',
  variables: { site },
}
const changed = /"sessions":\d+/

// Makes a visit of the site, which changes its cards.
async function visit() {
  const response = await fetch(url + '/v1/page', {
    method: 'POST', headers: { authorization: 'Basic ' + btoa('shop.example:') },
    body: JSON.stringify({ anonymousId: crypto.randomUUID(), properties: { path: '/' } }),
  })
  assert.equal(response.status, 200)
}

// Opens a WebSocket that a test speaks through message by message.
async function open(protocol = GRAPHQL_TRANSPORT_WS_PROTOCOL) {
  const socket = new WebSocket(socketURL, protocol)
  const received = [], waiting = []
  socket.on('message', (data) => {
    const message = parseMessage(String(data)) // throws where it is none of the protocol
    waiting.length ? waiting.shift()(message) : received.push(message)
  })
  const closed = new Promise((resolve) => socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })))
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  const wire = {
    closed,
    end: () => socket.close(),
    send: (message) => socket.send(typeof message === 'string' ? message : stringifyMessage(message)),
    next: () => received.length ? Promise.resolve(received.shift()) : new Promise((resolve) => waiting.push(resolve)),
    unread: () => received,
    subscribe: (id, payload = live) => wire.send({ id, type: MessageType.Subscribe, payload }),
    // Asks for what comes after all that was asked for before.
    async settled() {
      wire.send({ type: MessageType.Ping })
      for (const others = []; ;) {
        const message = await wire.next()
        if (message.type === MessageType.Pong) return others
        others.push(message)
      }
    },
  }
  return wire
}

async function ready() {
  const wire = await open()
  wire.send({ type: MessageType.ConnectionInit })
  assert.deepEqual(await wire.next(), { type: MessageType.ConnectionAck })
  return wire
}

async function mustClose(wire, code, reason = /./) {
  const event = await wire.closed
  assert.equal(event.code, code, event.reason)
  assert.match(event.reason, reason)
}

const socketClient = (options) => createClient({ url: socketURL, webSocketImpl: WebSocket, ...options })
const eventClient = (options) => createEventClient({ url: graphql, singleConnection: false, ...options })

// Answers of a client, one after another.
function answers(client, payload) {
  const iterator = client.iterate(payload)
  return { next: async () => (await iterator.next()).value, end: () => iterator.return(), ended: async () => (await iterator.next()).done }
}

// What the clients of both protocols must see, each by its package.
function clientCases(kind, create) {
  return {
    [`${kind}: a query and a mutation have one answer`]: async () => {
      const client = create()
      for (const [query, want] of [['{ __typename }', 'Query'], ['mutation { __typename }', 'Mutation']]) {
        const asked = answers(client, { query })
        assert.deepEqual(await asked.next(), { data: { __typename: want } })
        assert.ok(await asked.ended())
      }
      await client.dispose()
    },
    [`${kind}: a subscription has the whole at once, and again when it has changed`]: async () => {
      const client = create(), asked = answers(client, live)
      const first = await asked.next()
      assert.match(JSON.stringify(first), changed)
      await visit()
      const second = await asked.next()
      assert.ok(second.data.goalCards[0].cells[0].sessions > first.data.goalCards[0].cells[0].sessions)
      await asked.end()
      await client.dispose()
    },
    [`${kind}: many subscriptions at once`]: async () => {
      const client = create({ lazy: true })
      const all = Array.from({ length: 20 }, () => answers(client, live))
      for (const asked of all) assert.match(JSON.stringify(await asked.next()), changed)
      for (const asked of all) await asked.end()
      await client.dispose()
    },
    [`${kind}: an operation name and variables choose`]: async () => {
      const client = create()
      const asked = answers(client, {
        query: 'query A { __typename } query B($id: ID!) { site(id: $id) { id } }', operationName: 'B', variables: { id: site }, extensions: { any: 1 },
      })
      assert.deepEqual(await asked.next(), { data: { site: { id: site } } })
      await client.dispose()
    },
  }
}

const cases = {
  ...clientCases('graphql-ws', socketClient),
  ...clientCases('graphql-sse', eventClient),

  'graphql-ws: what is wrong with an operation is an error of it alone': async () => {
    const client = socketClient()
    for (const query of ['{', '{ nothing }', 'subscription { goalCards { goal { key } } }']) {
      await assert.rejects(answers(client, { query }).next(), (errors) => errors[0].extensions.code === 'BAD_USER_INPUT')
    }
    assert.deepEqual(await answers(client, { query: '{ __typename }' }).next(), { data: { __typename: 'Query' } })
    await client.dispose()
  },
  'graphql-sse: what is wrong with an operation is in its answer': async () => {
    const client = eventClient()
    for (const query of ['{', '{ nothing }', 'subscription { goalCards { goal { key } } }']) {
      const asked = answers(client, { query })
      assert.equal((await asked.next()).errors[0].extensions.code, 'BAD_USER_INPUT')
      assert.ok(await asked.ended())
    }
    await client.dispose()
  },
  'graphql-ws: the client pings, and is answered': async () => {
    let client
    await new Promise((resolve, reject) => {
      client = socketClient({ lazy: false, keepAlive: 20, on: { pong: resolve, closed: reject } })
    })
    await client.dispose()
  },
  'graphql-ws: the handshake takes a payload': async () => {
    const client = socketClient({ connectionParams: { authorization: 'Bearer KEY', nested: { list: [1] } } })
    assert.deepEqual(await answers(client, { query: '{ __typename }' }).next(), { data: { __typename: 'Query' } })
    await client.dispose()
  },
  'graphql-ws: a connection goes on when the client loses it': async () => {
    let socket, connections = 0
    const client = socketClient({ retryWait: async () => {}, on: { opened: (opened) => { socket = opened; connections++ } } })
    const asked = answers(client, live)
    await asked.next()
    socket.terminate()
    assert.match(JSON.stringify(await asked.next()), changed)
    assert.equal(connections, 2)
    await asked.end()
    await client.dispose()
  },

  'ws: another subprotocol is not taken': async () => assert.rejects(open('graphql-ws'), /no subprotocol/),
  'ws: the subprotocol is chosen among others': async () => {
    const wire = await open(['graphql-ws', GRAPHQL_TRANSPORT_WS_PROTOCOL])
    wire.send({ type: MessageType.ConnectionInit })
    assert.deepEqual(await wire.next(), { type: MessageType.ConnectionAck })
    wire.end()
  },
  'ws: no subprotocol is not acceptable': async () => mustClose(await open([]), CloseCode.SubprotocolNotAcceptable, /^Subprotocol not acceptable/),
  'ws: init that does not come in time': async () => mustClose(await open(), CloseCode.ConnectionInitialisationTimeout, /^Connection initialisation timeout$/),
  'ws: a second init': async () => {
    const wire = await ready()
    wire.send({ type: MessageType.ConnectionInit })
    await mustClose(wire, CloseCode.TooManyInitialisationRequests, /^Too many initialisation requests$/)
  },
  'ws: a second init before the first is acknowledged': async () => {
    const wire = await open()
    wire.send({ type: MessageType.ConnectionInit })
    wire.send({ type: MessageType.ConnectionInit })
    await mustClose(wire, CloseCode.TooManyInitialisationRequests)
  },
  'ws: an operation before init': async () => {
    const wire = await open()
    wire.subscribe('1')
    await mustClose(wire, CloseCode.Unauthorized, /^Unauthorized/)
  },
  'ws: a ping before init is answered': async () => {
    const wire = await open()
    wire.send({ type: MessageType.Ping, payload: { n: 1 } })
    assert.deepEqual(await wire.next(), { type: MessageType.Pong, payload: { n: 1 } })
    wire.end()
  },
  'ws: each ping is answered': async () => {
    const wire = await ready()
    for (let n = 0; n < 10; n++) wire.send({ type: MessageType.Ping, payload: { n } })
    for (let n = 0; n < 10; n++) assert.deepEqual(await wire.next(), { type: MessageType.Pong, payload: { n } })
    wire.end()
  },
  'ws: a pong that nobody asked for is nothing': async () => {
    const wire = await ready()
    wire.send({ type: MessageType.Pong, payload: { n: 1 } })
    assert.deepEqual(await wire.settled(), [])
    wire.end()
  },
  'ws: an id that is in use': async () => {
    const wire = await ready()
    wire.subscribe('1')
    await wire.next()
    wire.subscribe('1')
    await mustClose(wire, CloseCode.SubscriberAlreadyExists, /^Subscriber for 1 already exists$/)
  },
  'ws: an id is free again when its operation has ended': async () => {
    const wire = await ready()
    for (let n = 0; n < 3; n++) {
      wire.subscribe('1', { query: '{ __typename }' })
      assert.equal((await wire.next()).type, MessageType.Next)
      assert.deepEqual(await wire.next(), { id: '1', type: MessageType.Complete })
    }
    wire.subscribe('1', { query: '{ nothing }' })
    assert.equal((await wire.next()).type, MessageType.Error)
    wire.subscribe('1')
    assert.equal((await wire.next()).type, MessageType.Next)
    wire.send({ id: '1', type: MessageType.Complete })
    wire.subscribe('1')
    assert.equal((await wire.next()).type, MessageType.Next)
    wire.end()
  },
  'ws: the end of an unknown operation is nothing': async () => {
    const wire = await ready()
    wire.send({ id: 'unknown', type: MessageType.Complete })
    assert.deepEqual(await wire.settled(), [])
    wire.end()
  },
  'ws: nothing comes of an operation that the client has ended': async () => {
    const wire = await ready(), other = await ready()
    wire.subscribe('1')
    await wire.next()
    wire.send({ id: '1', type: MessageType.Complete })
    await wire.settled()
    other.subscribe('1')
    await other.next()
    await visit()
    await other.next()
    assert.deepEqual(await wire.settled(), [])
    wire.end()
    other.end()
  },
  'ws: a subscription asks for one field': async () => {
    const wire = await ready()
    const field = live.query.slice(live.query.indexOf('goalCards'), -1)
    wire.subscribe('1', { ...live, query: `subscription ($site: ID!) { a: ${field} b: ${field} }` })
    const { type, payload } = await wire.next()
    assert.deepEqual([type, payload[0].extensions.code], [MessageType.Error, 'BAD_USER_INPUT'])
    wire.end()
  },
  'ws: a message that is too large': async () => {
    const wire = await ready()
    wire.subscribe('1', { query: '#'.repeat(1 << 20) })
    await mustClose(wire, 1009)
  },
  ...Object.fromEntries(Object.entries({
    'no JSON': 'hello', 'no object': '[]', 'no type': '{}', 'an unknown type': '{"type":"start","id":"1"}', 'a type of servers': '{"type":"connection_ack"}',
    'subscribe without an id': '{"type":"subscribe","payload":{"query":"{ __typename }"}}', 'subscribe without a payload': '{"type":"subscribe","id":"1"}',
    'subscribe without a query': '{"type":"subscribe","id":"1","payload":{}}', 'an id that is no text': '{"type":"complete","id":1}',
    'a list for variables': '{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","variables":[]}}',
    'a list for extensions': '{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","extensions":[]}}',
    'a number for an operation name': '{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","operationName":1}}',
    'a text for the payload of init': '{"type":"connection_init","payload":"KEY"}', 'a text for the payload of a ping': '{"type":"ping","payload":"n"}',
  }).map(([name, text]) => [`ws: ${name} is a bad request`, async () => {
    const wire = await ready()
    wire.send(text)
    await mustClose(wire, CloseCode.BadRequest, /^Invalid message/)
  }])),

  'sse: the answer is a stream of events': async () => {
    const aborted = new AbortController()
    const response = await fetch(graphql, {
      method: 'POST', headers: { accept: 'text/event-stream', 'content-type': 'application/json' }, body: JSON.stringify(live), signal: aborted.signal,
    })
    assert.equal(response.status, 200)
    assert.match(response.headers.get('content-type'), /^text\/event-stream/)
    assert.match(response.headers.get('cache-control'), /no-cache/)
    aborted.abort()
  },
  'sse: a browser asks by GET': async () => {
    const get = (params) => fetch(graphql + '?' + new URLSearchParams(params), { headers: { accept: 'text/event-stream' } })
    const query = await get({ query: '{ __typename }' })
    assert.match(await query.text(), /event: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata:\n\n$/)
    assert.match(await (await get({ query: 'mutation { __typename }' })).text(), /BAD_USER_INPUT/)
    const events = (await get({ query: live.query, variables: JSON.stringify(live.variables) })).body.pipeThrough(new TextDecoderStream()).getReader()
    for (let text = ''; !changed.test(text); text += (await events.read()).value);
    await events.cancel()
  },
  'sse: a request that cannot be read is refused as one': async () => {
    for (const [body, contentType, status] of [['{', 'application/json', 400], ['{}', 'application/json', 400], ['{"query":"{ __typename }"}', 'text/plain', 415], [' '.repeat(1 << 21), 'application/json', 413]]) {
      const response = await fetch(graphql, { method: 'POST', headers: { accept: 'text/event-stream', 'content-type': contentType }, body })
      assert.equal(response.status, status)
      assert.ok((await response.json()).errors[0].message)
    }
  },
}

await Promise.all(Object.entries(cases).map(async ([name, test]) => {
  let problem
  const late = new Promise((resolve, reject) => setTimeout(reject, 60_000, new Error('it takes more than a minute')).unref())
  try {
    await Promise.race([test(), late])
  } catch (error) {
    problem = String(error?.stack ?? JSON.stringify(error))
  }
  console.log(JSON.stringify({ name, problem }))
}))
process.exit()
