import { useId, useState } from 'react'
import { Copyable } from './Copyable'
import { words } from './words'

/** How each SDK is pointed at a server, as docs/tracking.md has it. */
const sdks: readonly (readonly [name: string, setting: (origin: string, key: string) => string])[] = [
  ['@segment/analytics-node', (origin, key) => `new Analytics({ writeKey: "${key}", host: "${origin}" })`],
  ['@segment/analytics-next', (origin, key) => `AnalyticsBrowser.load({ writeKey: "${key}", cdnURL: "${origin}" })`],
  ['@customerio/cdp-analytics-node', (origin, key) => `new Analytics({ writeKey: "${key}", host: "${origin}" })`],
  [
    '@customerio/cdp-analytics-browser',
    (origin, key) => `AnalyticsBrowser.load({ writeKey: "${key}", cdnURL: "${origin}" })`,
  ],
  ['@rudderstack/rudder-sdk-node', (origin, key) => `new Analytics("${key}", { dataPlaneUrl: "${origin}" })`],
  ['@rudderstack/analytics-js', (origin, key) => `load("${key}", "${origin}", { configUrl: "${origin}" })`],
  ['@jitsu/js', (origin, key) => `jitsuAnalytics({ host: "${origin}", writeKey: "${key}:jitsu" })`],
]

/** The snippet and the settings of SDKs, with a key in its place. */
export function Tracking({ writeKey }: { writeKey: string }) {
  const id = useId()
  const [sdk, setSdk] = useState('')
  const { origin } = window.location
  const setting = sdks.find(([name]) => name === sdk)?.[1]
  return (
    <div className="stack">
      <h3>{words.snippet}</h3>
      <p>{words.snippetAdvice}</p>
      <Copyable label={words.snippet} text={`<script async src="${origin}/sdk.js" data-key="${writeKey}"></script>`} />
      <h3>{words.sdk}</h3>
      <div className="row">
        <label htmlFor={id}>{words.sdkName}</label>
        <select id={id} value={sdk} onChange={({ target }) => setSdk(target.value)}>
          <option value="">{words.choose}</option>
          {sdks.map(([name]) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </div>
      {setting && <Copyable key={sdk} label={sdk} text={setting(origin, writeKey)} />}
    </div>
  )
}
