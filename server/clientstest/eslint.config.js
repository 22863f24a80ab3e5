// graphql-eslint's recommended rules and those of Relay, on the served schema. Exceptions have their reasons.
import plugin from '@graphql-eslint/eslint-plugin'

const rules = { ...plugin.configs['flat/schema-recommended'].rules, ...plugin.configs['flat/schema-relay'].rules }
const [, names] = rules['@graphql-eslint/naming-convention']

export default [{
  files: ['schema.graphql'],
  languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema: 'schema.graphql' } } },
  plugins: { '@graphql-eslint': plugin },
  rules: {
    ...rules,
    // Counts, estimates and other values are what they are: they have no identity, and belong to the object that they stand in.
    '@graphql-eslint/strict-id-in-types': 'off',
    // A FilterType is a type of filters, and no type of the schema.
    '@graphql-eslint/naming-convention': ['error', {
      ...names, 'ObjectTypeDefinition,ObjectTypeExtension': { forbiddenPrefixes: ['Type'], ignorePattern: '^FilterType$', forbiddenSuffixes: ['Type'] },
    }],
    // Lists with a bound that is known are lists, and connections have nodes beside edges. Events, changes and rows of a
    // breakdown have an id for caches, and are no nodes: nobody asks for one of them by it.
    '@graphql-eslint/relay-edge-types': ['error', {
      withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false,
    }],
  },
}]
