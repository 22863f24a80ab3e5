// The clients of the protocol for TypeScript, v1 and v2, the latter by its latest revision too, list the tools and call some.
// Writes a line of JSON for each: its name, the revision that it speaks, the tools, and the data of a result.
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'

const [url, key] = process.argv.slice(2)
const requestInit = { headers: { Authorization: `Bearer ${key}` } }

for (const [name, Client, Transport, options] of [
  ['v1', ClientV1, TransportV1, {}],
  ['v2', ClientV2, TransportV2, {}],
  ['v2 of 2026', ClientV2, TransportV2, { versionNegotiation: { mode: { pin: '2026-07-28' } } }],
]) {
  const client = new Client({ name, version: '1' }, options)
  const transport = new Transport(new URL(url), { requestInit })
  await client.connect(transport)
  const { tools } = await client.listTools()
  // The clients hold results against the schemas of the tools.
  const described = await client.callTool({ name: 'describe_site', arguments: {} })
  const siteId = described.structuredContent.data.sites[0].id
  const cards = await client.callTool({
    name: 'goal_cards', arguments: { siteId, range: { from: '2015-05-17T00:00:00Z', to: '2015-05-21T00:00:00Z' } },
  })
  const refused = await client.callTool({ name: 'list_goals', arguments: { siteId: 'nothing' } })
  console.log(JSON.stringify({
    name, revision: client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion, tools: tools.map(tool => tool.name),
    cards: cards.structuredContent.data.site.goalCards, refused: refused.isError === true,
  }))
  await client.close()
}
