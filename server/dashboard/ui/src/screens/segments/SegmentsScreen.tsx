import { useMemo } from 'react'
import { useChange } from '../../api/change'
import { activateSegment, deactivateSegment, deleteSegment } from '../../api/definitions'
import { segmentsOf } from '../../api/site'
import { Confirm } from '../../parts/Confirm'
import { count } from '../../parts/format'
import { Problems } from '../../parts/Problems'
import { matches, SearchField } from '../../parts/SearchField'
import { described } from '../../parts/segments'
import { useSome } from '../../parts/some'
import { usersOf } from '../../parts/uses'
import { useSite, useView, ViewLink } from '../../parts/view'
import { listed, words } from '../../parts/words'

/** All segments of the site. */
export default function SegmentsScreen() {
  const { site, mayEdit } = useSite()
  const { search } = useView()
  const { busy, problems, change } = useChange()
  const found = segmentsOf(site).filter(({ name, filters }) =>
    matches(search, name, ...filters.map(({ label }) => label ?? '')),
  )
  const users = useMemo(() => usersOf(site), [site])
  const known = segmentsOf(site).length
  const total = site.segments?.totalCount ?? 0
  const { shown, more } = useSome(found)
  return (
    <div className="stack">
      <h1>{words.screens.segments}</h1>
      <div className="row">
        <SearchField label={words.search} />
        {mayEdit && (
          <ViewLink className="button" to={{ panel: { kind: 'segment', id: null } }}>
            + {words.newSegment}
          </ViewLink>
        )}
      </div>
      <Problems problems={problems} />
      {total > known && <p>{words.onlyOldest(count(known), count(total))}</p>}
      {found.length === 0 && <p role="status">{words.noMatch}</p>}
      <ul className="stack" aria-label={words.screens.segments}>
        {shown.map((segment) => (
          <li key={segment.id} className="box stack">
            <h2>
              <bdi>{segment.name}</bdi>
            </h2>
            <p>
              <bdi>{described(segment.filters)}</bdi>
            </p>
            <p className="faint">
              {words.inUseBy}: <bdi>{listed(users.get(segment.id) ?? []) || words.unused}</bdi>
            </p>
            {mayEdit && (
              <div className="row">
                <label className="row">
                  <input
                    type="checkbox"
                    aria-label={`${words.active}: ${segment.name}`}
                    checked={segment.active}
                    disabled={busy}
                    onChange={() =>
                      segment.active
                        ? change(deactivateSegment, { id: segment.id })
                        : change(activateSegment, { id: segment.id })
                    }
                  />
                  {words.active}
                </label>
                <ViewLink
                  className="button"
                  aria-label={words.named(words.edit, segment.name)}
                  to={{ panel: { kind: 'segment', id: segment.id } }}
                >
                  {words.edit}
                </ViewLink>
                <ViewLink
                  className="button"
                  aria-label={words.named(words.convert, segment.name)}
                  to={{ panel: { kind: 'convert', segment: segment.id } }}
                >
                  {words.convert}
                </ViewLink>
                <Confirm
                  text={words.delete}
                  label={words.named(words.delete, segment.name)}
                  question={words.confirmDelete(segment.name)}
                  onConfirm={() => change(deleteSegment, { id: segment.id })}
                />
              </div>
            )}
          </li>
        ))}
      </ul>
      {more}
    </div>
  )
}
