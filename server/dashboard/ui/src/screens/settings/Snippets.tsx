import { useState } from 'react'
import { TextField } from '../../parts/TextField'
import { Tracking } from '../../parts/Tracking'
import { words } from '../../parts/words'

/** The snippet and the settings of SDKs. A secret is shown only once, so the key is for people to put in. */
export function Snippets() {
  const [key, setKey] = useState('')
  return (
    <div className="box stack">
      <h2>{words.settingsTabs.snippet}</h2>
      <TextField label={words.writeKey} help={words.writeKeyHelp} value={key} onChange={setKey} faults={[]} />
      <Tracking writeKey={key.trim() || words.keyPlace} />
    </div>
  )
}
