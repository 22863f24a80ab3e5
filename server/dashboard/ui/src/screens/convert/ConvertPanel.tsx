import { type FormEvent, useState } from 'react'
import { useChange } from '../../api/change'
import { convertSegment } from '../../api/definitions'
import { type Segment, segmentsOf } from '../../api/site'
import { Drawer } from '../../parts/Drawer'
import { faultsIn, Problems, unplacedIn } from '../../parts/Problems'
import { described } from '../../parts/segments'
import { TextField } from '../../parts/TextField'
import { useGo, useSite } from '../../parts/view'
import { words } from '../../parts/words'

/** Turns a segment into a goal with the same filters. */
export default function ConvertPanel({ segment: id }: { segment: string }) {
  const { site } = useSite()
  const segment = segmentsOf(site).find((other) => other.id === id)
  return <Drawer title={words.convertTitle}>{segment ? <Convert segment={segment} /> : <p>{words.gone}</p>}</Drawer>
}

function Convert({ segment }: { segment: Segment }) {
  const go = useGo()
  const [name, setName] = useState(segment.name)
  const [key, setKey] = useState('')
  const { busy, problems, change } = useChange()
  const convert = async (event: FormEvent) => {
    event.preventDefault()
    const input = { segmentId: segment.id, name, key: key === '' ? null : key, expectedUpdatedAt: segment.updatedAt }
    if (await change(convertSegment, { input })) go({ panel: null })
  }
  return (
    <form className="stack" noValidate onSubmit={convert}>
      <p>{words.convertAdvice}</p>
      <p>
        <bdi>{described(segment.filters)}</bdi>
      </p>
      <TextField label={words.name} value={name} onChange={setName} required faults={faultsIn(problems, 'name')} />
      <TextField
        label={words.key}
        help={words.keyHelp}
        value={key}
        onChange={setKey}
        faults={faultsIn(problems, 'key')}
      />
      <Problems problems={unplacedIn(problems, ['name', 'key'])} />
      <p>
        <button type="submit" className="primary" disabled={busy}>
          {words.convert}
        </button>
      </p>
    </form>
  )
}
