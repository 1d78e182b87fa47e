// The audits of the GraphQL over HTTP specification, signed in and not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverAudits } from 'graphql-http';

const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token } = process.env;

const viewers = { 'signed in': { Authorization: `Bearer ${token}` }, 'not signed in': {} };

for (const [who, headers] of Object.entries(viewers)) {
  const fetchFn = (url, init) => fetch(url, { ...init, headers: { ...headers, ...init?.headers } });
  const audits = serverAudits({ url: `${server}/graphql`, fetchFn });

  test(`there are 61 audits, ${who}`, () => assert.equal(audits.length, 61));

  for (const audit of audits) {
    test(`${audit.id} ${audit.name}, ${who}`, async () => {
      const result = await audit.fn();
      assert.equal(result.status, 'ok', result.reason);
    });
  }
}
