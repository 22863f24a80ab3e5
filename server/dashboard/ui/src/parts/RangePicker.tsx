import { useId, useState } from 'react'
import { isDay, type Range, type RangeName, rangeNames } from './address'
import { dayAfter } from './format'
import { useGo, useRange, useView } from './view'
import { words } from './words'

const days = 'days'

/** Chooses the range and whether the previous period stands beside it. Days that are not valid yet are no state. */
export function RangePicker({ compare = true }: { compare?: boolean }) {
  const view = useView()
  const go = useGo()
  const id = useId()
  const range = useRange()
  const chosen = 'name' in range ? range.name : days
  const today = new Date().toISOString().slice(0, 10)
  return (
    <fieldset className="row">
      <legend className="hidden">{words.range}</legend>
      <label htmlFor={id} className="hidden">
        {words.range}
      </label>
      <select
        id={id}
        value={chosen}
        onChange={({ target: { value } }) =>
          go({
            range: value === days ? { date: { from: dayAfter(today, -29), to: today } } : { name: value as RangeName },
          })
        }
      >
        {rangeNames.map((name) => (
          <option key={name} value={name}>
            {words.ranges[name]}
          </option>
        ))}
        <option value={days}>{words.days}</option>
      </select>
      {'date' in range && (
        <Days
          date={range.date}
          choose={(chosen) => go({ range: chosen }, { replace: view.range !== null && 'date' in view.range })}
        />
      )}
      {compare && (
        <label className="row">
          <input type="checkbox" checked={view.compare} onChange={({ target }) => go({ compare: target.checked })} />
          {words.compare}
        </label>
      )}
    </fieldset>
  )
}

interface DaysProps {
  date: { from: string; to: string }
  choose: (range: Range) => void
}

function Days({ date, choose }: DaysProps) {
  const [draft, setDraft] = useState(date)
  const [given, setGiven] = useState(date)
  if (given.from !== date.from || given.to !== date.to) {
    setGiven(date)
    setDraft(date)
  }
  const change = (next: typeof date) => {
    setDraft(next)
    if (isDay(next.from) && isDay(next.to) && next.from <= next.to) choose({ date: next })
  }
  return (
    <>
      <label className="row">
        <span>{words.from}</span>
        <input
          type="date"
          value={draft.from}
          max={draft.to}
          onChange={({ target }) => change({ ...draft, from: target.value })}
        />
      </label>
      <label className="row">
        <span>{words.to}</span>
        <input
          type="date"
          value={draft.to}
          min={draft.from}
          onChange={({ target }) => change({ ...draft, to: target.value })}
        />
      </label>
    </>
  )
}
