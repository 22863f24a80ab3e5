import { Fragment } from 'react'
import { Sentence } from './Sentence'

/** What is wrong with a control, each fault once; nothing if all is well. The control names it by its id. */
export function Faults({ id, faults }: { id?: string; faults: readonly string[] }) {
  if (faults.length === 0) return null
  return (
    <p id={id} className="bad">
      {[...new Set(faults)].map((fault, i) => (
        <Fragment key={fault}>
          {i > 0 && '; '}
          <bdi>
            <Sentence text={fault} />
          </bdi>
        </Fragment>
      ))}
    </p>
  )
}
