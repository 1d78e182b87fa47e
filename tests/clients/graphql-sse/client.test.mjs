// The npm client graphql-sse, in its mode of distinct connections, and the bytes of the stream.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClient } from 'graphql-sse';

const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token } = process.env;
const headers = { Authorization: `Bearer ${token}` };

let client;
before(() => {
  client = createClient({ url: `${server}/graphql`, headers, retryAttempts: 0 });
});
after(() => client.dispose());

async function collect(payload) {
  const results = [];
  for await (const result of client.iterate(payload)) results.push(result);
  return results;
}

function post(body, more) {
  const wanted = { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...headers, ...more };
  return fetch(`${server}/graphql`, { method: 'POST', headers: wanted, body: JSON.stringify(body) });
}

const send = 'mutation Send($content: String!) { sendMessage(input: { content: $content }) { reply { id content } } }';
const progress = `subscription Progress($id: ID!, $after: String) {
  replyProgress(messageId: $id, after: $after) {
    ... on ReplyStarted { cursor attempt }
    ... on ReplyText { cursor text }
    ... on ReplyEnded { message: reply { content } }
  }
}`;

test('a query, a mutation and a subscription', async () => {
  assert.deepEqual(await collect({ query: '{ viewer { id } }' }), [{ data: { viewer: { id: 'dev' } } }]);
  const [{ data }] = await collect({ query: send, variables: { content: 'Tell me of streams' } });
  const { id, content } = data.sendMessage.reply;
  const events = (await collect({ query: progress, variables: { id } })).map((it) => it.data.replyProgress);
  assert.equal(events.map((event) => event.text ?? '').join(''), content);
  assert.equal(events.at(-1).message.content, content);
});

test('a subscription goes on from a cursor', async () => {
  const [{ data }] = await collect({ query: send, variables: { content: 'Tell me of cursors' } });
  const { id } = data.sendMessage.reply;
  const [started, text] = await collect({ query: progress, variables: { id } });
  assert.equal(started.data.replyProgress.attempt, 1);
  const after = text.data.replyProgress.cursor;
  const rest = await collect({ query: progress, variables: { id, after } });
  assert.equal(rest.length, 1, 'only the end is left');
});

test('a request error is an event with errors, then complete', async () => {
  for (const [payload, code] of [
    [{ query: '{ nonsense }' }, 'GRAPHQL_VALIDATION_FAILED'],
    [{ query: '{' }, 'GRAPHQL_PARSE_FAILED'],
    [{ query: progress }, 'BAD_USER_INPUT'],
  ]) {
    const results = await collect(payload);
    assert.equal(results.length, 1);
    assert.equal(results[0].errors[0].extensions.code, code);
    assert.equal(results[0].data, undefined);
  }
});

test('the bytes are those of the protocol', async () => {
  const response = await post({ query: '{ __typename }' });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.match(response.headers.get('cache-control'), /no-cache/);
  const text = await response.text();
  assert.equal(text, ':\n\nevent: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata: \n\n');
});

test('a GET may query and subscribe, and not write', async () => {
  const get = (query) =>
    fetch(`${server}/graphql?${new URLSearchParams({ query })}`, { headers: { ...headers, Accept: 'text/event-stream' } });
  assert.match(await (await get('{ viewer { id } }')).text(), /"id":"dev"/);
  assert.equal((await get('mutation { createConversation(input: {}) { conversation { id } } }')).status, 405);
  const stream = await get('subscription { changes { __typename } }');
  assert.equal(stream.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  await stream.body.cancel();
});

test('what HTTP refuses is refused with a status, as JSON', async () => {
  const bad = await post({ query: '{ __typename }' }, { Authorization: 'Bearer x' });
  assert.equal(bad.status, 401);
  assert.equal((await bad.json()).errors[0].extensions.code, 'UNAUTHENTICATED');
  const type = await post({ query: '{ __typename }' }, { 'Content-Type': 'text/plain' });
  assert.equal(type.status, 415);
  const large = await post({ query: '{ __typename }', x: 'x'.repeat(1024 * 1024) });
  assert.equal(large.status, 413);
});

test('nobody signed in: UNAUTHENTICATED', async () => {
  const anonymous = await fetch(`${server}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify({ query: 'subscription { changes { __typename } }' }),
  });
  const text = await anonymous.text();
  assert.match(text, /UNAUTHENTICATED/);
  assert.match(text, /event: complete\ndata: \n\n$/);
});
