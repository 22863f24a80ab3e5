// Sends what a shop's server would, by the SDKs for servers: node node.mjs URL KEY
import { Analytics as CustomerIO } from '@customerio/cdp-analytics-node'
import { jitsuAnalytics } from '@jitsu/js'
import { Analytics } from '@segment/analytics-node'
import RudderAnalytics from '@rudderstack/rudder-sdk-node'

const [url, writeKey] = process.argv.slice(2)

const segment = new Analytics({ writeKey, host: url, maxRetries: 0 })
segment.on('error', (error) => { console.error(error); process.exitCode = 1 })
segment.identify({ userId: 'segment-node', traits: { plan: 'pro' } })
segment.page({ userId: 'segment-node', name: 'Home', properties: { path: '/node' } })
segment.track({ userId: 'segment-node', event: 'purchase_completed', properties: { value: 10.5 } })
segment.track({ userId: 'segment-node', event: 'purchase_completed', properties: { revenue: 2 } })
await segment.closeAndFlush()

const customerio = new CustomerIO({ writeKey, host: url, maxRetries: 0 })
customerio.on('error', (error) => { console.error(error); process.exitCode = 1 })
customerio.identify({ userId: 'customerio-node', traits: { plan: 'pro' } })
customerio.page({ userId: 'customerio-node', name: 'Home', properties: { path: '/node' } })
customerio.track({ userId: 'customerio-node', event: 'purchase_completed', properties: { value: 5 } })
await customerio.closeAndFlush()

// Without cookies, Jitsu's user lasts as long as its client.
const jitsu = jitsuAnalytics({ host: url, writeKey: writeKey + ':jitsu', s2s: true, errorPolicy: 'rethrow' })
await jitsu.identify('jitsu-node', { plan: 'pro' })
await jitsu.page({ path: '/node' })
await jitsu.track('purchase_completed', { value: 2.5 })

const rudder = new RudderAnalytics(writeKey, { dataPlaneUrl: url })
rudder.identify({ userId: 'rudder-node', traits: { plan: 'pro' } })
rudder.page({ userId: 'rudder-node', name: 'Home', properties: { path: '/node' } })
rudder.track({ userId: 'rudder-node', event: 'purchase_completed', properties: { value: 20 } })
await new Promise((resolve, reject) => rudder.flush((error) => (error ? reject(error) : resolve())))
process.exit()
