import type { Problem } from '../api/problem'
import type { Fault } from './form/draft'
import { Sentence } from './Sentence'
import { words } from './words'

/** Tells what went wrong, in the server's words; nothing if all is well. */
export function Problems({ problems }: { problems: readonly Problem[] }) {
  if (problems.length === 0) return null
  const texts = new Set(problems.map(({ code, message }) => (code === 'NOT_CONNECTED' ? words.notConnected : message)))
  return (
    <div className="notice" role="alert">
      <strong>{words.problem}</strong>
      {[...texts].map((text) => (
        <p key={text}>
          <Sentence text={text} />
        </p>
      ))}
    </div>
  )
}

/** What a refusal says, without the path of the input, which the control stands for. */
const bare = ({ field, message }: Problem): string =>
  field !== '' && message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message

/** A refusal as a fault of a form, of which the server names the parts below `input`. */
export const faultOf = (problem: Problem): Fault => ({
  path: problem.field.replace(/^input\./, ''),
  message: bare(problem),
})

const fieldOf = ({ field }: Problem) => field.replace(/^input\./, '').replace(/[.[].*$/, '')

/** What a refusal says of a field of the mutation's input, of parts of it too. */
export const faultsIn = (problems: readonly Problem[], field: string): readonly string[] =>
  problems.filter((problem) => fieldOf(problem) === field).map(bare)

/** The problems that are about none of the fields which a form has controls for. */
export const unplacedIn = (problems: readonly Problem[], fields: readonly string[]): readonly Problem[] =>
  problems.filter((problem) => !fields.includes(fieldOf(problem)))
