import type { ResultOf } from 'gql.tada'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { useRepeat } from '../../api/repeat'
import { Bar } from '../../parts/Bar'
import { count, moment } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { Scroll } from '../../parts/Scroll'
import { useSite } from '../../parts/view'
import { words } from '../../parts/words'

const askPlugins = graphql(`
  query PluginStates($siteId: ID!, $reasons: Boolean!) {
    plugins {
      id
      name
      version
      builtin
      status
      restarts
      reason @include(if: $reasons)
      filterTypes { id name title description mergeRule computed }
    }
    site(id: $siteId) {
      id
      computedFilters { filterType args plugin sessions computedSessions complete createdAt }
    }
  }
`)

type Plugin = NonNullable<ResultOf<typeof askPlugins>['plugins']>[number]
type Computed = NonNullable<NonNullable<ResultOf<typeof askPlugins>['site']>['computedFilters']>[number]

const lookEvery = 3_000

/** The filter plugins: whether each answers, why not, what it offers, and how far what it computes has come. */
export default function PluginsScreen() {
  const { site, mayAdminister } = useSite()
  const { data, problems, again } = useAsk(askPlugins, { siteId: site.id, reasons: mayAdminister })
  useRepeat(again, lookEvery)
  const computed = data?.site?.computedFilters ?? []
  return (
    <div className="stack">
      <h1>{words.screens.plugins}</h1>
      <Problems problems={problems} />
      <ul className="stack" aria-label={words.screens.plugins}>
        {data?.plugins?.map((plugin) => (
          <li key={plugin.id} className="box stack">
            <State plugin={plugin} />
          </li>
        ))}
      </ul>
      {computed.length > 0 && <Progress computed={computed} />}
    </div>
  )
}

function State({ plugin }: { plugin: Plugin }) {
  const isWell = plugin.status === 'RUNNING'
  return (
    <>
      <div>
        <h2>
          <bdi>{plugin.name}</bdi> <span className="faint">{plugin.version}</span>
        </h2>
        <p className={isWell ? 'good' : 'bad'}>
          {words.pluginStates[plugin.status]}
          {plugin.restarts > 0 && `; ${words.restarts(plugin.restarts)}`}
        </p>
      </div>
      {plugin.reason && <p className={isWell ? 'flag' : 'notice'}>{plugin.reason}</p>}
      {plugin.filterTypes.length > 0 && (
        <details>
          <summary>{words.filterTypes(plugin.filterTypes.length)}</summary>
          <dl className="facts">
            {plugin.filterTypes.map((type) => (
              <div key={type.id}>
                <dt>{type.title}</dt>
                <dd>
                  {type.description}
                  {type.computed && ` ${words.computedType}`}
                </dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </>
  )
}

function Progress({ computed }: { computed: readonly Computed[] }) {
  const { site } = useSite()
  return (
    <div className="stack">
      <h2>{words.computedFilters}</h2>
      <Scroll label={words.computedFilters}>
        <table>
          <caption className="hidden">{words.computedFilters}</caption>
          <thead>
            <tr>
              <th scope="col">{words.filter}</th>
              <th scope="col">{words.plugin}</th>
              <th scope="col">{words.progress}</th>
              <th scope="col">{words.since}</th>
            </tr>
          </thead>
          <tbody>
            {computed.map((filter) => (
              <tr key={`${filter.filterType} ${JSON.stringify(filter.args)}`}>
                <th scope="row">
                  <bdi>{`${filter.filterType} ${JSON.stringify(filter.args)}`}</bdi>
                </th>
                <td>{filter.plugin}</td>
                <td>
                  {filter.complete
                    ? words.complete
                    : words.ofSessions(count(filter.computedSessions), count(filter.sessions))}
                  <Bar share={filter.sessions === 0 ? 1 : filter.computedSessions / filter.sessions} />
                </td>
                <td>{moment(filter.createdAt, site.timezone)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </div>
  )
}
