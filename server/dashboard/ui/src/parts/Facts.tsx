import type { ReactNode } from 'react'
import { none } from './format'

/** Facts with their names; those that are not known as such. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, fact: ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts.map(([name, fact], i) => (
        <div key={i}>
          <dt>
            <bdi>{name}</bdi>
          </dt>
          <dd>
            <bdi>{fact || none}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  )
}
