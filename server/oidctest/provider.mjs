// A real OpenID provider for the tests: node provider.mjs SETTINGS, in JSON:
//
//   issuer     its address, which leads to where it listens
//   callbacks  where it may send people back to
//   secret     of its client, goalgraph
//   accounts   what it says of each user besides the name: {"ada": {"groups": ["staff"]}}
//   inToken    whether it says so in the ID token. Otherwise one has to ask for the user's info
//
// It listens on a free port of 127.0.0.1, which it prints. Any password is right.
import Provider from 'oidc-provider'

const { issuer, callbacks, secret, accounts, inToken } = JSON.parse(process.argv[2])

const provider = new Provider(issuer, {
  clients: [{ client_id: 'goalgraph', client_secret: secret, redirect_uris: callbacks }],
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'email', 'groups'],
  claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'], groups: ['groups', 'realm_access'] },
  conformIdTokenClaims: !inToken,
  findAccount: (_, name) => accounts[name] && {
    accountId: name,
    claims: () => ({ sub: name, preferred_username: name, email: `${name}@shop.example`, email_verified: true, ...accounts[name] }),
  },
  // Everybody consents to what the client asks for.
  loadExistingGrant: async ({ oidc }) => {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
    grant.addOIDCScope([...oidc.requestParamScopes].join(' '))
    await grant.save()
    return grant
  },
})

const server = provider.listen(0, '127.0.0.1', () => console.log(server.address().port))
