// Prints, as JSON, a key set with a key for each signature algorithm and a token of user `ada` by each.

import { SignJWT, exportJWK, generateKeyPair } from 'jose';

const ALGORITHMS = [
  'EdDSA', 'Ed25519', 'ES256', 'ES384', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512',
];

const keys = [];
const tokens = {};
for (const alg of ALGORITHMS) {
  const kid = `key of ${alg}`;
  const { publicKey, privateKey } = await generateKeyPair(alg);
  keys.push({ ...(await exportJWK(publicKey)), alg, kid, use: 'sig' });
  tokens[alg] = await new SignJWT()
    .setProtectedHeader({ alg, kid, typ: 'JWT' })
    .setSubject('ada')
    .setIssuedAt()
    .setExpirationTime('15m')
    .sign(privateKey);
}
console.log(JSON.stringify({ jwks: { keys }, tokens }));
