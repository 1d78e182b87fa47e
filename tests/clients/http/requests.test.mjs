// What the audits do not ask: negotiation, methods, refusals, and the shape of every error.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getIntrospectionQuery } from 'graphql';

const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token } = process.env;
const json = 'application/json; charset=utf-8';
const graphql = 'application/graphql-response+json; charset=utf-8';

async function send({ method = 'POST', path = '/graphql', accept, type = 'application/json', body, ...rest }) {
  const headers = { Authorization: `Bearer ${token}`, ...(accept && { Accept: accept }), ...rest.headers };
  if (method === 'POST' && type) headers['Content-Type'] = type;
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  // A Blob without a type keeps fetch from making up a Content-Type.
  const content = type || text === undefined ? text : new Blob([text]);
  const response = await fetch(`${server}${path}`, { method, headers, body: content });
  const answer = { status: response.status, headers: response.headers, text: await response.text() };
  if (/json/.test(response.headers.get('content-type'))) answer.body = JSON.parse(answer.text);
  return answer;
}

/** Checks that an answer is one error of the usual shape, and nothing else. */
function refused(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.deepEqual(Object.keys(answer.body), ['errors']);
  for (const error of answer.body.errors) {
    assert.equal(typeof error.message, 'string');
    assert.doesNotMatch(error.message, /-->|[A-Z]\w+\(|\w+::\w+|Error \{/, 'no Rust text');
    assert.equal(typeof error.extensions.code, 'string');
  }
  assert.equal(answer.body.errors[0].extensions.code, code);
}

const cases = [
  [undefined, json],
  ['*/*', json],
  ['application/*', json],
  ['application/json', json],
  ['APPLICATION/JSON', json],
  ['application/graphql-response+json', graphql],
  ['application/graphql-response+json; q=0.1, application/json; q=1.0', json],
  ['application/json; q=0.1, application/graphql-response+json; q=0.2', graphql],
  ['application/json; q=0, */*', graphql],
  ['text/html, application/json;q=0.5', json],
  ['multipart/mixed, application/json', json],
];
for (const [accept, expected] of cases) {
  test(`Accept ${accept} is answered with ${expected}`, async () => {
    const answer = await send({ accept, body: { query: '{ __typename }' } });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), expected);
    // A development server adds the origin.
    assert.match(answer.headers.get('vary'), /^Accept\b/);
    assert.deepEqual(answer.body, { data: { __typename: 'Query' } });
  });
}

test('nothing acceptable: 406', async () => {
  for (const accept of ['text/html', 'application/json;q=0', 'image/*']) {
    refused(await send({ accept, body: { query: '{ __typename }' } }), 406, 'NOT_ACCEPTABLE');
  }
});

test('a body of another type: 415', async () => {
  for (const type of [
    'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/graphql',
    'application/json; charset=utf-16', 'application/jsonp', null,
  ]) {
    refused(await send({ type, body: '{"query":"{ __typename }"}' }), 415, 'UNSUPPORTED_MEDIA_TYPE');
  }
  for (const type of ['application/json; charset=UTF-8', 'Application/JSON', 'application/json;charset="utf-8"']) {
    assert.equal((await send({ type, body: '{"query":"{ __typename }"}' })).status, 200);
  }
});

test('a body at the limit, and one byte more: 413', async () => {
  const body = (size) => {
    const start = '{"query":"{ __typename }","ignored":"';
    return `${start}${'x'.repeat(size - start.length - 2)}"}`;
  };
  assert.equal((await send({ body: body(1024 * 1024) })).status, 200);
  refused(await send({ body: body(1024 * 1024 + 1) }), 413, 'PAYLOAD_TOO_LARGE');
});

test('other methods: 405 with Allow', async () => {
  for (const method of ['PUT', 'DELETE', 'PATCH']) {
    const answer = await send({ method, body: '{}' });
    refused(answer, 405, 'METHOD_NOT_ALLOWED');
    assert.deepEqual(answer.headers.get('allow').split(',').sort(), ['GET', 'HEAD', 'POST']);
  }
});

test('a mutation by GET: 405 with Allow: POST', async () => {
  for (const query of [
    'mutation { createConversation(input: {}) { conversation { id } } }',
    'mutation Named { createConversation(input: {}) { conversation { id } } }',
  ]) {
    const answer = await send({ method: 'GET', path: `/graphql?query=${encodeURIComponent(query)}` });
    refused(answer, 405, 'METHOD_NOT_ALLOWED');
    assert.equal(answer.headers.get('allow'), 'POST');
  }
});

test('GET knows operationName, variables and extensions', async () => {
  const query = 'query A($n: Int) { conversations(first: $n) { totalCount } } query B { __typename }';
  const path = (fields) => `/graphql?${new URLSearchParams({ query, ...fields })}`;
  const answer = await send({ method: 'GET', path: path({ operationName: 'B', variables: '{}', extensions: '{}' }) });
  assert.deepEqual(answer.body, { data: { __typename: 'Query' } });
  const counted = await send({ method: 'GET', path: path({ operationName: 'A', variables: '{"n": 1}' }) });
  assert.equal(typeof counted.body.data.conversations.totalCount, 'number');
  for (const fields of [{ variables: '[' }, { variables: '[]' }, { extensions: '7' }]) {
    refused(await send({ method: 'GET', path: path({ operationName: 'B', ...fields }) }), 400, 'BAD_REQUEST');
  }
  refused(await send({ method: 'GET', path: `${path({})}&query=x` }), 400, 'BAD_REQUEST');
});

test('malformed requests: 400 in both media types', async () => {
  const bodies = [
    '', '{', 'null', '7', '"{ __typename }"', '[]', '[{"query":"{ __typename }"}]', {}, { query: 7 },
    { query: null }, { query: '{ __typename }', operationName: 7 }, { query: '{ __typename }', variables: [] },
    { query: '{ __typename }', variables: 'x' }, { query: '{ __typename }', extensions: [] },
    { extensions: { persistedQuery: { version: 2, sha256Hash: 'x' } } },
  ];
  for (const accept of ['application/json', 'application/graphql-response+json']) {
    for (const body of bodies) refused(await send({ accept, body }), 400, 'BAD_REQUEST');
  }
});

const requestErrors = [
  ['a syntax error', { query: '{ __typename' }, 'GRAPHQL_PARSE_FAILED'],
  ['an unknown field', { query: '{ nonsense }' }, 'GRAPHQL_VALIDATION_FAILED'],
  ['an unknown operation', { query: '{ __typename }', operationName: 'Other' }, 'OPERATION_RESOLUTION_FAILURE'],
  ['several operations', { query: 'query A { __typename } query B { __typename }' }, 'OPERATION_RESOLUTION_FAILURE'],
  ['a missing variable', { query: 'query Q($id: ID!) { conversation(id: $id) { id } }' }, 'BAD_USER_INPUT'],
  [
    'a null for a non-null variable',
    { query: 'query Q($id: ID!) { conversation(id: $id) { id } }', variables: { id: null } },
    'BAD_USER_INPUT',
  ],
  [
    'a variable of another type',
    { query: 'query Q($n: Int) { conversations(first: $n) { totalCount } }', variables: { n: 'x' } },
    'BAD_USER_INPUT',
  ],
  [
    'an Int out of range in a variable',
    { query: 'query Q($n: Int) { conversations(first: $n) { totalCount } }', variables: { n: 2147483648 } },
    'BAD_USER_INPUT',
  ],
  ['an Int out of range', { query: '{ conversations(first: 2147483648) { totalCount } }' }, 'GRAPHQL_VALIDATION_FAILED'],
  [
    'an unknown field of an input',
    {
      query: 'mutation M($input: SendMessageInput!) { sendMessage(input: $input) { reply { id } } }',
      variables: { input: { content: 'x', other: 1 } },
    },
    'BAD_USER_INPUT',
  ],
  ['a subscription without a stream', { query: 'subscription { changes { __typename } }' }, 'BAD_REQUEST'],
];
for (const [name, body, code] of requestErrors) {
  test(`${name} is a request error`, async () => {
    refused(await send({ accept: 'application/json', body }), 200, code);
    refused(await send({ accept: 'application/graphql-response+json', body }), 400, code);
  });
}

test('errors of fields come with data, a path and 200', async () => {
  const body = { query: '{ conversations(first: 101) { totalCount } }' };
  for (const accept of ['application/json', 'application/graphql-response+json']) {
    const answer = await send({ accept, body });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.data, null);
    assert.deepEqual(answer.body.errors[0].path, ['conversations']);
    assert.equal(answer.body.errors[0].extensions.code, 'BAD_USER_INPUT');
  }
});

test('a bad token: 401 with WWW-Authenticate', async () => {
  for (const authorization of ['Bearer x', 'Bearer ', 'Basic eDp5', `Bearer ${token}x`]) {
    const answer = await send({ headers: { Authorization: authorization }, body: { query: '{ __typename }' } });
    refused(answer, 401, 'UNAUTHENTICATED');
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
  }
});

test('errors are few and short', async () => {
  const unknown = await send({ body: { query: `{ ${Array.from({ length: 1000 }, (_, i) => `f${i}`).join(' ')} }` } });
  assert.equal(unknown.body.errors.length, 5);
  assert.equal(unknown.body.extensions.omittedErrors, 995);
  assert.ok(unknown.text.length < 4000, unknown.text);
  const line = await send({ body: { query: `{ __typename(x: "${'y'.repeat(100_000)}") } }` } });
  assert.ok(line.text.length < 400, line.text);
  const field = await send({ body: { query: `{ ${'z'.repeat(250)} }` } });
  assert.ok(field.text.length < 700, field.text);
});

test("graphql-js's whole introspection query passes the default limits", async () => {
  const query = getIntrospectionQuery({
    descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true,
    inputValueDeprecation: true, oneOf: true,
  });
  const answer = await send({ body: { query } });
  assert.equal(answer.body.errors, undefined, answer.text.slice(0, 500));
  assert.ok(answer.body.data.__schema.types.length > 20);
});
