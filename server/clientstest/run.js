// Puts clients through what front ends do, against a server: node run.js URL SITE. The clients are as docs/clients.md sets
// them up. Each line is JSON: the client's name, and what is wrong where something is.
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { Client, fetchExchange } from '@urql/core'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { format } from 'node:util'
import WebSocket from 'ws'

const [url, site] = process.argv.slice(2)

// Browsers have one.
globalThis.WebSocket ??= WebSocket

// What clients complain about is what they write to the console.
const complaints = []
for (const level of ['warn', 'error']) console[level] = (...words) => complaints.push(format(...words))

// The requests that clients make by themselves.
const { fetch } = globalThis
let requests = 0
globalThis.fetch = (...request) => {
  requests++
  return fetch(...request)
}

// Somebody else, who has no cache.
async function elsewhere(query, variables) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = await response.json()
  assert.equal(errors, undefined)
  return data
}

// Somebody visits the site.
async function visit(visitor) {
  const { status } = await fetch(`${url}/v1/page`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Basic ${btoa('www.semicomplete.com:')}` },
    body: JSON.stringify({ anonymousId: visitor, messageId: visitor, properties: { path: '/' } }),
  })
  assert.equal(status, 200)
}

// What a watched query was told last, and a way to wait for what it is told.
function watched() {
  let current, waiting = []
  return {
    current: () => current,
    tell(next) {
      current = next
      waiting = waiting.filter(({ holds, resolve }) => !holds(next) || resolve())
    },
    until: (holds) => new Promise((resolve) => (current !== undefined && holds(current) ? resolve() : waiting.push({ holds, resolve }))),
  }
}

async function check(name, client) {
  const goals = watched(), key = `${name}-${Date.now()}`
  client.watch(site, goals.tell)
  await goals.until(() => true)
  assert.ok(goals.current().every((goal) => goal.id && goal.key))

  // A mutation: its answer is in the cache, and so are the lists that it has changed.
  const before = requests
  const created = await client.create({ siteId: site, key, name: 'Made here' })
  await goals.until((now) => now.some((goal) => goal.id === created && goal.name === 'Made here'))
  await client.rename(created, 'Renamed here')
  await goals.until((now) => now.some((goal) => goal.id === created && goal.name === 'Renamed here'))
  assert.equal(requests, before + 2, 'a request for each mutation, and no others')

  // A refused mutation says so, and leaves the cache as it is.
  const known = goals.current()
  await assert.rejects(client.create({ siteId: site, key, name: 'Once more' }), /already has a goal/)
  assert.deepEqual(goals.current(), known)

  // A subscription: what others change is in the cache.
  const seen = requests, stop = await client.follow(site)
  const { createGoal: { goal } } = await elsewhere(
    'mutation ($input: CreateGoalInput!) { createGoal(input: $input) { goal { id } } }', { input: { siteId: site, key: `${key}-else`, name: 'Made elsewhere' } },
  )
  await goals.until((now) => now.some(({ id, name }) => id === goal.id && name === 'Made elsewhere'))
  await elsewhere('mutation ($id: ID!) { deleteGoal(id: $id) { deletedId } }', { id: goal.id })
  await goals.until((now) => now.every(({ id }) => id !== goal.id))
  assert.equal(requests, seen, 'nothing is asked for again')
  stop()

  // Live cards: what the subscription counts is in the cells that the query showed, without a line of code for it.
  const cells = watched()
  client.watchCards(site, cells.tell)
  await cells.until(() => true)
  const asked = requests, stopCards = await client.followCards(site), [{ id, sessions }] = cells.current()
  await visit(key)
  await cells.until((now) => now.some((cell) => cell.id === id && cell.sessions === sessions + 1))
  assert.equal(requests, asked, 'nothing is asked for again')
  stopCards()
  await client.stop()
  assert.deepEqual(complaints, [])
}

// Apollo's persisted queries: the text is sent once, whoever asks.
async function checkPersisted() {
  const query = gql`query Persisted${Date.now()} { sites { id } }`
  const sha256 = (text) => createHash('sha256').update(text).digest('hex')
  const ask = async (useGETForHashedQueries) => {
    const before = requests
    const link = new PersistedQueryLink({ sha256, useGETForHashedQueries }).concat(new HttpLink({ uri: `${url}/graphql` }))
    const { data } = await new ApolloClient({ link, cache: new InMemoryCache() }).query({ query })
    assert.ok(data.sites.some(({ id }) => id === site))
    return requests - before
  }
  assert.equal(await ask(false), 2, 'the hash, and then the text')
  assert.equal(await ask(false), 1, 'the hash')
  assert.equal(await ask(true), 1, 'the hash, by GET')
  assert.deepEqual(complaints, [])
}

// urql over fetch alone: its queries come in one part, though it takes streams, and its subscriptions as streams.
async function checkStreams() {
  const types = []
  const observed = async (...request) => {
    const response = await fetch(...request)
    types.push(response.headers.get('content-type'))
    return response
  }
  const client = new Client({ url: `${url}/graphql`, preferGetMethod: false, fetchSubscriptions: true, exchanges: [fetchExchange], fetch: observed })
  const { data } = await client.query('query ($site: ID!) { site(id: $site) { id } }', { site })
  assert.equal(data.site.id, site)
  const followed = await new Promise((resolve, reject) => {
    const subscription = client.subscription('subscription ($site: ID!) { definitionsChanged(siteId: $site) { site { id } } }', { site }).subscribe(
      ({ data, error }) => {
        if (error) reject(error)
        if (data) setImmediate(() => resolve(data, subscription.unsubscribe()))
      },
    )
  })
  assert.equal(followed.definitionsChanged.site.id, site)
  assert.deepEqual(types, ['application/graphql-response+json', 'text/event-stream; charset=utf-8'])
  assert.deepEqual(complaints, [])
}

const checks = {
  apollo: async () => check('apollo', await import('./out/apollo-goals.js')),
  urql: async () => check('urql', await import('./out/urql-goals.js')),
  relay: async () => check('relay', await import('./relay-goals.js')),
  persisted: checkPersisted,
  streams: checkStreams,
}
for (const [name, run] of Object.entries(checks)) {
  let problem = ''
  try {
    await run()
  } catch (error) {
    problem = [error.stack, ...complaints].join('\n')
  }
  complaints.length = 0
  process.stdout.write(JSON.stringify({ name, problem }) + '\n')
}
process.exit()
