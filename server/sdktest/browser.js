// Sends what a shop's page would, by an SDK for browsers. It is bundled into a page, which says in its address where to send, with which
// key, and by which SDK.
import { AnalyticsBrowser as CustomerIO } from '@customerio/cdp-analytics-browser'
import { jitsuAnalytics } from '@jitsu/js'
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled'
import { AnalyticsBrowser } from '@segment/analytics-next'

const settings = new URLSearchParams(location.search)
const url = settings.get('url')
const writeKey = settings.get('key')

const sdks = {
  async segment() {
    const analytics = AnalyticsBrowser.load({ writeKey, cdnURL: url })
    await analytics.page('Home', { path: '/browser' })
    await analytics.track('purchase_completed', { value: 40 })
    await analytics.identify('segment-browser', { plan: 'free' })
    await analytics.track('purchase_completed', { revenue: 0.25 })
  },
  async customerio() {
    const analytics = CustomerIO.load({ writeKey, cdnURL: url })
    await analytics.page('Home', { path: '/browser' })
    await analytics.track('purchase_completed', { value: 20 })
    await analytics.identify('customerio-browser', { plan: 'free' })
  },
  async rudder() {
    const analytics = new RudderAnalytics()
    analytics.load(writeKey, url, { configUrl: url, storage: { cookie: { samesite: 'Lax' } } })
    analytics.page('Home', { path: '/browser' })
    analytics.track('purchase_completed', { value: 80 })
    analytics.identify('rudder-browser', { plan: 'free' })
    await new Promise((resolve) => analytics.ready(resolve))
  },
  async jitsu() {
    const analytics = jitsuAnalytics({ host: url, writeKey: writeKey + ':jitsu', errorPolicy: 'rethrow' })
    await analytics.page({ path: '/browser' })
    await analytics.track('purchase_completed', { value: 10 })
    await analytics.identify('jitsu-browser', { plan: 'free' })
  },
}

sdks[settings.get('sdk')]().then(
  () => { document.title = 'sent' },
  (error) => { document.title = `failed: ${error}` },
)
