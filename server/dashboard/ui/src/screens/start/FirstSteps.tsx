import { useClient } from 'urql'
import { graphql } from '../../api/graphql'
import { useLive } from '../../api/live'
import { openSite } from '../../api/site'
import { siteArguments } from '../../parts/address'
import { Problems } from '../../parts/Problems'
import { Tracking } from '../../parts/Tracking'
import { useSite, useView, ViewLink } from '../../parts/view'
import { words } from '../../parts/words'
import styles from './FirstSteps.module.css'

const followFirst = graphql(`
  subscription FollowFirst($siteId: ID!) {
    totals(siteId: $siteId, range: { from: "1990-01-01T00:00:00Z" }) { sessions }
  }
`)

/** What stands in place of the goals until the first event has arrived. */
export default function FirstSteps() {
  const { site, mayAdminister } = useSite()
  const view = useView()
  const client = useClient()
  const { data, problems } = useLive(followFirst, { siteId: site.id })
  const arrived = (data?.totals.sessions ?? 0) > 0
  const goOn = () =>
    client.query(openSite, { ...siteArguments(view), chosen: true }, { requestPolicy: 'network-only' }).toPromise()
  return (
    <div className="stack">
      <h1>{words.firstSteps}</h1>
      <Problems problems={problems} />
      <div className="box row" role="status">
        <span className={arrived ? styles.on : styles.off} aria-hidden="true" />
        <span>{arrived ? words.firstArrived : words.firstAwaited}</span>
        {arrived && (
          <button type="button" className="primary" onClick={goOn}>
            {words.showGoals}
          </button>
        )}
      </div>
      <section className="box stack" aria-labelledby="track">
        <h2 id="track">{words.firstTrack}</h2>
        <p>
          {words.firstKey}{' '}
          {mayAdminister && (
            <ViewLink to={{ screen: 'settings', by: 'keys', panel: null }}>{words.settingsTabs.keys}</ViewLink>
          )}
        </p>
        <Tracking writeKey={words.keyPlace} />
      </section>
    </div>
  )
}
