// What a plugin of Goalgraph does beside its filters: the handshake, the gRPC
// services, and to end with its server. Copy it for a plugin of your own, with
// filter.proto beside it.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import { fromJSON, loadSync } from '@grpc/proto-loader'

const { FilterPlugin } = grpc.loadPackageDefinition(
  loadSync(fileURLToPath(new URL('../../pb/filter.proto', import.meta.url)), { oneofs: true }),
).goalgraph.plugins.v1

// Of grpc.health.v1 and of the library that servers start plugins with.
const { grpc: { health }, plugin } = grpc.loadPackageDefinition(fromJSON({
  nested: {
    grpc: { nested: { health: { nested: { v1: { nested: {
      HealthCheckRequest: { fields: { service: { type: 'string', id: 1 } } },
      HealthCheckResponse: { fields: { status: { type: 'int32', id: 1 } } },
      Health: { methods: { Check: { requestType: 'HealthCheckRequest', responseType: 'HealthCheckResponse' } } },
    } } } } } },
    plugin: { nested: {
      Empty: { fields: {} },
      GRPCController: { methods: { Shutdown: { requestType: 'Empty', responseType: 'Empty' } } },
    } },
  },
}))

// ArgumentError says what is wrong with a filter's arguments: the path of the one
// at fault ("is[0]"), empty for the whole, and what to do.
export class ArgumentError extends Error {
  constructor(path, message) {
    super(message)
    this.path = path
  }
}

// What merge returns in place of arguments.
export const both = Symbol('both filters must hold')
export const empty = Symbol('the filters exclude each other')

// answers makes a method of gRPC of a function; what it throws fails this call only.
const answers = (answer) => (call, reply) => {
  try {
    reply(null, answer(call.request))
  } catch (error) {
    reply({ code: grpc.status.INTERNAL, details: error.stack })
  }
}

// refuses returns what try does, or an ArgumentError that it throws as the field.
const refuses = (field, attempt) => {
  try {
    return attempt()
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error
    return { [field]: { path: error.path, message: error.message } }
  }
}

function merged(type, { active, goal }) {
  const args = type.merge(JSON.parse(active), JSON.parse(goal))
  if (args === both) return { both: {} }
  if (args === empty) return { empty: {} }
  return { args: JSON.stringify(args) }
}

// serve serves the filter types until the server ends. A type has the fields of
// FilterType in filter.proto; compile(args), which returns { predicate, label };
// and, if it likes, merge(active, goal), which returns arguments, both or empty.
export function serve(name, version, types) {
  if (process.env.GOALGRAPH_PLUGIN !== 'goalgraph.plugins.v1') {
    console.error(`${name} ${version} is a plugin of Goalgraph. Put it into the folder that goalgraph's --plugins names.`)
    process.exit(1)
  }
  // What asks the server to end may ask its whole process group; the server still
  // needs the plugin for what it has begun.
  process.on('SIGINT', () => {}).on('SIGTERM', () => {})
  // A server that is killed by force cannot end its plugins.
  const parent = process.ppid
  setInterval(() => process.ppid === parent || process.exit(0), 250)

  const find = (request) => types.find((type) => type.name === request.type)
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 16 << 20 })
  server.addService(FilterPlugin.service, {
    Describe: answers(() => ({ name, version, types: types.map((type) => ({ ...type, merges: 'merge' in type })) })),
    Compile: answers((q) => refuses('error', () => ({ compiled: find(q).compile(JSON.parse(q.args)) }))),
    Merge: answers((q) => merged(find(q), q)),
  })
  server.addService(health.v1.Health.service, { Check: answers(() => ({ status: 1 })) }) // SERVING
  server.addService(plugin.GRPCController.service, {
    Shutdown: (_, reply) => {
      reply(null, {})
      setImmediate(() => process.exit(0))
    },
  })
  const socket = join(process.env.PLUGIN_UNIX_SOCKET_DIR ?? mkdtempSync(join(tmpdir(), name)), 'plugin.sock')
  server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error
    console.log(`1|1|unix|${socket}|grpc`)
  })
}
