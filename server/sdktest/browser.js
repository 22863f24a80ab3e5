// Sends what a shop's page would, by the SDKs for browsers. It is bundled into a page, which says in its address where to send and with which key.
import { AnalyticsBrowser } from '@segment/analytics-next'
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled'

const settings = new URLSearchParams(location.search)
const url = settings.get('url')
const writeKey = settings.get('key')

async function segment() {
  const analytics = AnalyticsBrowser.load({ writeKey, cdnURL: url })
  await analytics.page('Home', { path: '/browser' })
  await analytics.track('purchase_completed', { value: 40 })
  await analytics.identify('segment-browser', { plan: 'free' })
  await analytics.track('purchase_completed', { revenue: 0.25 })
}

async function rudder() {
  const analytics = new RudderAnalytics()
  analytics.load(writeKey, url, { configUrl: url, storage: { cookie: { samesite: 'Lax' } } })
  analytics.page('Home', { path: '/browser' })
  analytics.track('purchase_completed', { value: 80 })
  analytics.identify('rudder-browser', { plan: 'free' })
  await new Promise((resolve) => analytics.ready(resolve))
}

Promise.all([segment(), rudder()]).then(
  () => { document.title = 'sent' },
  (error) => { document.title = `failed: ${error}` },
)
