// Queries that cost much and weigh little are refused at once, on every transport.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token } = process.env;
const authorization = `Bearer ${token}`;

const doubling = (depth, leaf) =>
  `{ ...f0 } ${Array.from({ length: depth }, (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`).join(' ')}
   fragment f${depth} on Query { ${leaf} }`;
const repeat = (count, write) => Array.from({ length: count }, (_, i) => write(i)).join(' ');

const bombs = {
  'fragments that double 28 times': doubling(28, '__typename'),
  'fragments that double 20 times': doubling(20, 'viewer { id }'),
  'a fragment that spreads itself': '{ ...f } fragment f on Query { ...f }',
  'fragments that spread each other': '{ ...f } fragment f on Query { ...g } fragment g on Query { ...f }',
  'fragments that nobody spreads': `{ __typename } ${doubling(28, '__typename').slice(9)}`,
  '20,000 aliases': `{ ${repeat(20_000, (i) => `a${i}: __typename`)} }`,
  '10,000 directives': `{ __typename ${repeat(10_000, () => '@skip(if: false)')} }`,
  '10,000 brackets': `${'{ a '.repeat(10_000)}${'}'.repeat(10_000)}`,
  '10,000 lists': `{ node(id: ${'['.repeat(10_000)}${']'.repeat(10_000)}) { id } }`,
  'an introspection of ten turns': `{ __schema { types { ${'fields { type { '.repeat(10)} name ${'} }'.repeat(10)} } } }`,
  'many introspections': `{ ${repeat(50, (i) => `a${i}: __schema { types { name } }`)} }`,
  'pages of pages': '{ conversations(first: 100) { nodes { messages(first: 100) { nodes { id role content } } } } }',
  'pages of pages, by variable':
    'query Q($n: Int = 100) { conversations(first: $n) { nodes { messages(first: $n) { nodes { id role content } } } } }',
};

function check(errors, name) {
  assert.ok(['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED'].includes(errors[0].extensions.code), name);
  assert.ok(errors.length <= 5 && JSON.stringify(errors).length < 2000, JSON.stringify(errors).slice(0, 3000));
}

for (const [name, query] of Object.entries(bombs)) {
  test(`${name}: refused over HTTP`, { timeout: 5000 }, async () => {
    const response = await fetch(`${server}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/graphql-response+json', authorization },
      body: JSON.stringify({ query }),
    });
    assert.equal(response.status, 400);
    check((await response.json()).errors, name);
  });

  test(`${name}: refused over SSE`, { timeout: 5000 }, async () => {
    const response = await fetch(`${server}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', authorization },
      body: JSON.stringify({ query }),
    });
    const text = await response.text();
    check(JSON.parse(/^event: next\ndata: (.*)$/m.exec(text)[1]).errors, name);
    assert.match(text, /event: complete\ndata: \n\n$/);
  });

  test(`${name}: refused over WebSocket`, { timeout: 5000 }, async () => {
    const client = createClient({
      url: `${server.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, connectionParams: { authorization },
    });
    const errors = await new Promise((resolve, reject) => {
      client.subscribe({ query }, { next: reject, error: resolve, complete: () => reject(new Error('complete')) });
    });
    check(errors, name);
    await client.dispose();
  });
}

test('what is within the limits passes', async () => {
  for (const query of [doubling(8, '__typename'), `{ ${repeat(100, (i) => `a${i}: __typename`)} }`]) {
    const response = await fetch(`${server}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', authorization },
      body: JSON.stringify({ query }),
    });
    const { errors } = await response.json();
    assert.equal(errors, undefined);
  }
});

test('automatic persisted queries', async () => {
  const query = `{ __typename } # ${Math.random()}`;
  const sha256Hash = createHash('sha256').update(query).digest('hex');
  const send = async (body) => {
    const headers = { 'Content-Type': 'application/json', authorization };
    const response = await fetch(`${server}/graphql`, { method: 'POST', headers, body: JSON.stringify(body) });
    return response.json();
  };
  const extensions = { persistedQuery: { version: 1, sha256Hash } };
  const unknown = await send({ extensions });
  assert.equal(unknown.errors[0].message, 'PersistedQueryNotFound');
  assert.equal(unknown.errors[0].extensions.code, 'PERSISTED_QUERY_NOT_FOUND');
  const wrong = await send({ query: '{ __typename }', extensions });
  assert.equal(wrong.errors[0].extensions.code, 'BAD_USER_INPUT');
  assert.deepEqual(await send({ query, extensions }), { data: { __typename: 'Query' } });
  assert.deepEqual(await send({ extensions }), { data: { __typename: 'Query' } });
  const byGet = await fetch(`${server}/graphql?extensions=${encodeURIComponent(JSON.stringify(extensions))}`);
  assert.deepEqual(await byGet.json(), { data: { __typename: 'Query' } });
});
