// Sends what a shop's server would, by the SDKs for servers: node node.mjs URL KEY
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

const rudder = new RudderAnalytics(writeKey, { dataPlaneUrl: url })
rudder.identify({ userId: 'rudder-node', traits: { plan: 'pro' } })
rudder.page({ userId: 'rudder-node', name: 'Home', properties: { path: '/node' } })
rudder.track({ userId: 'rudder-node', event: 'purchase_completed', properties: { value: 20 } })
await new Promise((resolve, reject) => rudder.flush((error) => (error ? reject(error) : resolve())))
process.exit()
