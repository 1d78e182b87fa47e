// The npm client graphql-ws.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token } = process.env;

const connect = (options) =>
  createClient({
    url: `${server.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
    ...options,
  });

let client;
before(() => {
  client = connect();
});
after(() => client.dispose());

/** All results of an operation. */
async function collect(payload, from = client) {
  const results = [];
  for await (const result of from.iterate(payload)) results.push(result);
  return results;
}

const send = `mutation Send($content: String!) {
  sendMessage(input: { content: $content, awaitReply: false }) { reply { id } }
}`;
const progress = `subscription Progress($id: ID!, $after: String) {
  replyProgress(messageId: $id, after: $after) {
    __typename
    ... on ReplyStarted { cursor attempt }
    ... on ReplyReasoning { cursor text }
    ... on ReplyText { cursor text }
    ... on ReplyRestarted { cursor attempt }
    ... on ReplyEnded { cursor message: reply { status content } }
  }
}`;

async function sent(content) {
  const [{ data }] = await collect({ query: send, variables: { content } });
  return data.sendMessage.reply.id;
}

function text(events) {
  return events.filter((event) => event.__typename === 'ReplyText').map((event) => event.text).join('');
}

test('a query has one result and is complete', async () => {
  assert.deepEqual(await collect({ query: '{ viewer { id } }' }), [{ data: { viewer: { id: 'dev' } } }]);
});

test('a mutation, then a subscription to its end', async () => {
  const id = await sent('What is a causerie?');
  const results = await collect({ query: progress, variables: { id } });
  const events = results.map(({ data }) => data.replyProgress);
  const end = events.at(-1);
  assert.equal(end.__typename, 'ReplyEnded');
  assert.equal(end.message.status, 'COMPLETE');
  assert.equal(text(events), end.message.content);
});

test('a subscription within a fragment', async () => {
  const id = await sent('Fragments');
  const query = `subscription S($id: ID!) { ...F ... on Subscription { replyProgress(messageId: $id) { __typename } } }
    fragment F on Subscription { replyProgress(messageId: $id) { ... on ReplyEnded { cursor } } }`;
  const errors = await collect({ query, variables: { id } }).catch((errors) => errors);
  assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED', 'two fields are not one');
  const only = 'subscription S($id: ID!) { ...F } fragment F on Subscription { replyProgress(messageId: $id) { __typename } }';
  const results = await collect({ query: only, variables: { id } });
  assert.equal(results.at(-1).data.replyProgress.__typename, 'ReplyEnded');
});

test('many operations on one socket', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => sent(`Number ${i}`)));
  const all = await Promise.all(ids.map((id) => collect({ query: progress, variables: { id } })));
  for (const [i, results] of all.entries()) {
    const end = results.at(-1).data.replyProgress;
    assert.equal(text(results.map(({ data }) => data.replyProgress)), end.message.content);
    assert.match(end.message.content, new RegExp(`Number ${i}\\b`));
  }
});

test('a request error is one error, with an array', async () => {
  for (const [payload, code] of [
    [{ query: '{ nonsense }' }, 'GRAPHQL_VALIDATION_FAILED'],
    [{ query: '{' }, 'GRAPHQL_PARSE_FAILED'],
    [{ query: '{ viewer { id } }', operationName: 'Other' }, 'OPERATION_RESOLUTION_FAILURE'],
    [{ query: progress }, 'BAD_USER_INPUT'],
    [{ query: progress, variables: { id: null } }, 'BAD_USER_INPUT'],
  ]) {
    const errors = await collect(payload).catch((errors) => errors);
    assert.ok(Array.isArray(errors));
    assert.equal(errors[0].extensions.code, code);
  }
});

test('an error of a field comes with its path', async () => {
  const variables = { id: '00000000-0000-7000-8000-000000000000' };
  const results = await collect({ query: progress, variables });
  assert.equal(results.length, 1);
  assert.equal(results[0].errors[0].extensions.code, 'NOT_FOUND');
  assert.deepEqual(results[0].errors[0].path, ['replyProgress']);
});

test('nobody signed in: the schema, and nothing else', async () => {
  const anonymous = connect({ connectionParams: undefined });
  const [{ data }] = await collect({ query: '{ __schema { queryType { name } } }' }, anonymous);
  assert.equal(data.__schema.queryType.name, 'Query');
  const [{ errors }] = await collect({ query: '{ viewer { id } }' }, anonymous);
  assert.equal(errors[0].extensions.code, 'UNAUTHENTICATED');
  const [followed] = await collect({ query: 'subscription { changes { __typename } }' }, anonymous);
  assert.equal(followed.errors[0].extensions.code, 'UNAUTHENTICATED');
  await anonymous.dispose();
});

test('a client that leaves a subscription hears no more of it, and the socket goes on', async () => {
  const changes = client.iterate({ query: 'subscription { changes { __typename } }' });
  await changes.next();
  await changes.return();
  assert.deepEqual(await collect({ query: '{ __typename }' }), [{ data: { __typename: 'Query' } }]);
});

test('a bad token ends the client at once: 4401', async () => {
  const stranger = connect({ connectionParams: { authorization: 'Bearer x' }, retryAttempts: 5 });
  const close = await collect({ query: '{ __typename }' }, stranger).catch((close) => close);
  assert.equal(close.code, 4401);
});

test('a protocol ping is answered, and may renew the token', async () => {
  let socket;
  const pongs = [];
  const renewing = connect({
    on: {
      connected: (it) => (socket = it),
      pong: (received) => received && pongs.push(true),
    },
  });
  await collect({ query: '{ __typename }' }, renewing);
  const held = renewing.iterate({ query: 'subscription { changes { __typename } }' });
  await held.next();
  socket.send(JSON.stringify({ type: 'ping', payload: { authorization: `Bearer ${token}` } }));
  socket.send(JSON.stringify({ type: 'ping' }));
  await collect({ query: '{ __typename }' }, renewing);
  assert.equal(pongs.length, 2);
  await renewing.dispose();
});
