import { useAsk } from '../../api/ask'
import { useChange } from '../../api/change'
import { Confirm } from '../../parts/Confirm'
import { dayOf, none } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { RowCount } from '../../parts/RowCount'
import { SearchField } from '../../parts/SearchField'
import { Table, texts } from '../../parts/Table'
import { useSite, useView, ViewLink } from '../../parts/view'
import { listed, words } from '../../parts/words'
import { ExperimentView } from './ExperimentView'
import { archiveExperiment, askExperiments, deleteExperiment, type Experiment } from './results'

/** All experiments of the site or, where the view names one, its results. */
export default function ExperimentsScreen() {
  const { by } = useView()
  return by === '' ? <List /> : <ExperimentView key={by} id={by} />
}

function List() {
  const { site, mayEdit } = useSite()
  const { search } = useView()
  const { data, problems, again } = useAsk(askExperiments, { siteId: site.id, search })
  const { busy, problems: refused, change } = useChange()
  const found = data?.site?.experiments
  const archive = (id: string) => change(archiveExperiment, { id })
  const remove = async (id: string) => {
    if (await change(deleteExperiment, { id })) again()
  }
  return (
    <div className="stack">
      <h1>{words.screens.experiments}</h1>
      <div className="row">
        <SearchField label={words.search} />
        {mayEdit && (
          <ViewLink className="button" to={{ panel: { kind: 'experiment', id: null } }}>
            + {words.newExperiment}
          </ViewLink>
        )}
      </div>
      <Problems problems={[...problems, ...refused]} />
      {found && <RowCount shown={found.nodes.length} all={found.totalCount} empty={words.noExperiments} />}
      {found && found.nodes.length > 0 && (
        <Table
          label={words.screens.experiments}
          columns={[
            texts(words.name),
            texts(words.status),
            texts(words.primaryMetric),
            texts(words.variants),
            texts(words.began),
            texts(words.winner),
            ...(mayEdit ? [texts(words.actions)] : []),
          ]}
        >
          {found.nodes.map((experiment) => (
            <tr key={experiment.id}>
              <th scope="row">
                <ViewLink to={{ by: experiment.id, search: '', panel: null }}>
                  <bdi>{experiment.name}</bdi>
                </ViewLink>
              </th>
              <td>{words.statuses[experiment.status]}</td>
              <td>
                <bdi>{experiment.primaryMetric?.name ?? none}</bdi>
              </td>
              <td>
                <bdi>{listed(experiment.variants.map(({ name }) => name)) || none}</bdi>
              </td>
              <td>{experiment.startedAt ? dayOf(experiment.startedAt, site.timezone) : none}</td>
              <td>
                <bdi>{experiment.winner?.name ?? none}</bdi>
              </td>
              {mayEdit && (
                <td>
                  <Actions experiment={experiment} busy={busy} onArchive={archive} onDelete={remove} />
                </td>
              )}
            </tr>
          ))}
        </Table>
      )}
    </div>
  )
}

interface ActionsProps {
  experiment: Experiment
  busy: boolean
  onArchive: (id: string) => void
  onDelete: (id: string) => void
}

function Actions({ experiment: { id, name, status }, busy, onArchive, onDelete }: ActionsProps) {
  return (
    <div className="row">
      {(status === 'DRAFT' || status === 'STOPPED') && (
        <button
          type="button"
          disabled={busy}
          aria-label={words.named(words.archive, name)}
          onClick={() => onArchive(id)}
        >
          {words.archive}
        </button>
      )}
      {status !== 'RUNNING' && (
        <Confirm
          text={words.delete}
          label={words.named(words.delete, name)}
          question={words.confirmDelete(name)}
          onConfirm={() => onDelete(id)}
        />
      )}
    </div>
  )
}
