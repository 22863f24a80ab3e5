// Asks a server for flags as an application in Node.js does: node server.js URL KEY VISITOR.
import { OpenFeature } from '@openfeature/server-sdk'
import { OFREPProvider } from '@openfeature/ofrep-provider'

const [, , baseUrl, key, targetingKey] = process.argv
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers: [['Authorization', 'Bearer ' + key]] }))
const client = OpenFeature.getClient()
const context = { targetingKey, country: 'RO' }
const brief = ({ value, variant = '', reason, errorCode = '' }) => ({ value, variant, reason, errorCode })
process.stdout.write(JSON.stringify({
  text: brief(await client.getStringDetails('text', 'default', context)),
  object: brief(await client.getObjectDetails('object', {}, context)),
  toggle: brief(await client.getBooleanDetails('toggle', false, context)),
  number: brief(await client.getNumberDetails('number', 0, context)),
  draft: brief(await client.getStringDetails('draft', 'default', context)),
  romanians: brief(await client.getStringDetails('romanians', 'default', context)),
  missing: brief(await client.getStringDetails('missing', 'default', context)),
  nobody: brief(await client.getStringDetails('text', 'default', {})),
}))
