import { SelectField } from '../../parts/SelectField'
import { words } from '../../parts/words'
import type { Experiment } from './results'

interface MonitorProps {
  monitoring: Experiment['monitoring']
  onMonitoring: (monitoring: Experiment['monitoring']) => void
  /** When the only look is planned; null while that is open. */
  decideAt: string | null
  onDecideAt: (at: string | null) => void
  faults: readonly string[]
}

/** How often somebody may look and decide: at any time, or once, at a time that is planned. */
export function Monitor({ monitoring, onMonitoring, decideAt, onDecideAt, faults }: MonitorProps) {
  return (
    <>
      <SelectField
        label={words.monitoring}
        value={monitoring}
        choices={words.monitorings}
        onChange={onMonitoring}
        faults={faults}
      />
      {monitoring === 'FIXED_HORIZON' && (
        <label className="row">
          <span>{words.decideAtUtc}</span>
          <input
            type="datetime-local"
            value={decideAt?.slice(0, 16) ?? ''}
            onChange={({ target }) => onDecideAt(target.value === '' ? null : `${target.value}:00Z`)}
          />
        </label>
      )}
    </>
  )
}
