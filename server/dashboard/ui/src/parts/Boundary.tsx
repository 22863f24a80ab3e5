import { Component, type ReactNode } from 'react'
import { words } from './words'

/** Keeps a failure of a part of the page to that part. It begins anew when `of` changes. */
export class Boundary extends Component<{ of: string; children: ReactNode }, { failure: unknown; of: string }> {
  override state = { failure: undefined as unknown, of: this.props.of }

  static getDerivedStateFromError(failure: unknown) {
    return { failure }
  }

  static getDerivedStateFromProps(props: { of: string }, state: { of: string }) {
    return props.of === state.of ? null : { failure: undefined, of: props.of }
  }

  override render() {
    if (this.state.failure === undefined) return this.props.children
    return (
      <div className="notice stack" role="alert">
        <h2>{words.broken}</h2>
        <p>
          {words.brokenAdvice} {String(this.state.failure)}
        </p>
        <p>
          <button type="button" onClick={() => window.location.reload()}>
            {words.reload}
          </button>
        </p>
      </div>
    )
  }
}
