// A real provider of OpenID Connect for the tests: provider.mjs <node_modules> <redirect address>
// Whoever types a name is that person; what it says of them is in PEOPLE. Prints its issuer.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const [modules, redirect] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const PEOPLE = {
  ada: { email: 'Ada@example.com', email_verified: true },
  eve: { email: 'ada@example.com', email_verified: false },
  grace: { email: 'grace@elsewhere.test', email_verified: false, groups: ['operations'], preferred_username: 'grace' },
  mallory: { email: 'mallory@elsewhere.test', email_verified: true, groups: ['interns'] },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'fairway', client_secret: 'the-clients-secret', redirect_uris: [redirect] }],
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username'], groups: ['groups'] },
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...PEOPLE[sub] }) }),
    cookies: { keys: ['only for tests'] },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
