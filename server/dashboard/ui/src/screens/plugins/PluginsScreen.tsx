import type { ResultOf } from 'gql.tada'
import { useAsk } from '../../api/ask'
import { graphql } from '../../api/graphql'
import { useRepeat } from '../../api/repeat'
import { Bar } from '../../parts/Bar'
import { Facts } from '../../parts/Facts'
import { count } from '../../parts/format'
import { Moment } from '../../parts/Moment'
import { Problems } from '../../parts/Problems'
import { Sentence } from '../../parts/Sentence'
import { Table, texts } from '../../parts/Table'
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
      {plugin.reason && (
        <p className={isWell ? 'flag' : 'notice'}>
          <Sentence text={plugin.reason} />
        </p>
      )}
      {plugin.filterTypes.length > 0 && (
        <details>
          <summary>{words.filterTypes(plugin.filterTypes.length)}</summary>
          <Facts
            facts={plugin.filterTypes.map(({ title, description, computed }) => [
              title,
              <>
                <bdi>{description}</bdi> {computed && words.computedType}
              </>,
            ])}
          />
        </details>
      )}
    </>
  )
}

function Progress({ computed }: { computed: readonly Computed[] }) {
  return (
    <div className="stack">
      <h2>{words.computedFilters}</h2>
      <Table
        label={words.computedFilters}
        columns={[texts(words.filter), texts(words.plugin), texts(words.progress), texts(words.since)]}
      >
        {computed.map((filter) => (
          <tr key={`${filter.filterType} ${JSON.stringify(filter.args)}`}>
            <th scope="row">
              <bdi>{`${filter.filterType} ${JSON.stringify(filter.args)}`}</bdi>
            </th>
            <td>
              <bdi>{filter.plugin}</bdi>
            </td>
            <td>
              {filter.complete
                ? words.complete
                : words.ofSessions(count(filter.computedSessions), count(filter.sessions))}
              <Bar share={filter.sessions === 0 ? 1 : filter.computedSessions / filter.sessions} />
            </td>
            <td>
              <Moment at={filter.createdAt} />
            </td>
          </tr>
        ))}
      </Table>
    </div>
  )
}
