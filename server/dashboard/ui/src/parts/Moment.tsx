import { moment } from './format'
import { useSite } from './view'

/** An instant as a date and a time of the site's zone. */
export function Moment({ at }: { at: string }) {
  const { site } = useSite()
  return <time dateTime={at}>{moment(at, site.timezone)}</time>
}
