// A Better Auth server on a free loopback port, with everything in memory.
//
// Prints one line of JSON: the issuers, one for each signature algorithm, each with a signed-up user and a token
// of theirs. Every line on stdin makes all issuers forget their keys and prints such a line anew, with tokens of
// new keys for the same users. Ends when stdin closes.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';

process.env.BETTER_AUTH_TELEMETRY = '0';

const SECRET = 'better-auth-secret-of-32-bytes-or-more';
const KEYS = {
  EdDSA: { alg: 'EdDSA', crv: 'Ed25519' },
  ES256: { alg: 'ES256' },
  RS256: { alg: 'RS256' },
  PS256: { alg: 'PS256' },
};

/** Starts one issuer; `plugins` and `session` are Better Auth's options. */
async function start({ plugins = [], session = {} }) {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseURL = `http://127.0.0.1:${server.address().port}`;
  const db = { user: [], session: [], account: [], verification: [], jwks: [] };
  const auth = betterAuth({
    baseURL,
    secret: SECRET,
    database: memoryAdapter(db),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    logger: { level: 'error' },
    plugins,
    session,
  });
  server.on('request', toNodeHandler(auth));

  const response = await fetch(`${baseURL}/api/auth/sign-up/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: baseURL },
    body: JSON.stringify({ name: 'Ada', email: 'ada@example.com', password: 'correct horse battery' }),
  });
  if (!response.ok) throw new Error(`sign-up failed: ${response.status} ${await response.text()}`);
  const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0]);
  const { user } = await response.json();
  return { baseURL, db, cookies, user: user.id };
}

/** A token of the JWT plugin. */
async function token({ baseURL, cookies }) {
  const response = await fetch(`${baseURL}/api/auth/token`, { headers: { cookie: cookies.join('; ') } });
  if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
  return (await response.json()).token;
}

const issuers = [];
for (const [algorithm, keyPairConfig] of Object.entries(KEYS)) {
  issuers.push({ algorithm, ...(await start({ plugins: [jwt({ jwks: { keyPairConfig } })] })) });
}

// The session's copy in a cookie is a token as well, signed with the shared secret.
const cached = await start({ session: { cookieCache: { enabled: true, strategy: 'jwt' } } });
const prefix = 'better-auth.session_data=';
const cookie = cached.cookies.find((candidate) => candidate.startsWith(prefix));
if (!cookie) throw new Error('no session cookie');

async function report() {
  const lines = issuers.map(async (issuer) => ({
    algorithm: issuer.algorithm,
    jwksUrl: `${issuer.baseURL}/api/auth/jwks`,
    iss: issuer.baseURL,
    aud: issuer.baseURL,
    user: issuer.user,
    token: await token(issuer),
  }));
  const sharedSecret = {
    secret: SECRET,
    user: cached.user,
    token: decodeURIComponent(cookie.slice(prefix.length)),
  };
  console.log(JSON.stringify({ issuers: await Promise.all(lines), sharedSecret }));
}

await report();
for await (const _ of createInterface({ input: process.stdin })) {
  for (const { db } of issuers) db.jwks.length = 0;
  await report();
}
process.exit(0);
