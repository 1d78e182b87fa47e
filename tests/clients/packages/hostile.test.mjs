// @causerie/client from its tarball, against answers that no good server gives, and in bad company.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CauserieError, createClient } from '@causerie/client';
import { createReplica } from '@causerie/client/replica';
import { eventOf, startImpostor } from './impostor.mjs';
import { startServer } from './servers.mjs';
import { MemoryStorage, until } from './until.mjs';

let impostor, server;
const replicas = [];
before(async () => {
  server = await startServer({ CAUSERIE_ECHO_DELAY: '20ms' });
});
beforeEach(async () => {
  impostor = await startImpostor();
});
afterEach(() => {
  impostor.close();
  replicas.splice(0).forEach((replica) => replica.stop());
});
after(() => server.stop());

const QUERY = 'subscription { changes { __typename } }';
const clientOf = (options) => createClient({ url: impostor.url, token: 'token', ...options });

function replicaOf(client, options) {
  const replica = createReplica({ client, ...options });
  replicas.push(replica);
  replica.start();
  return replica;
}

async function drain(stream) {
  const all = [];
  for await (const data of stream) all.push(data);
  return all;
}

test('whatever an answer is, it is an error with a code that tells whether to try again', async () => {
  const html = '<!doctype html><title>Sign in to the network</title>';
  const cases = [
    [200, 'text/html', html, 'UNAVAILABLE'],
    [200, 'application/json', '', 'UNAVAILABLE'],
    [200, 'application/json', '{"data":', 'UNAVAILABLE'],
    [200, 'application/json', 'null', 'UNAVAILABLE'],
    [200, 'application/json', '[]', 'UNAVAILABLE'],
    [200, 'application/json', '"text"', 'UNAVAILABLE'],
    [200, 'application/json', '{"data":null}', 'UNAVAILABLE'],
    [200, 'application/json', '{"errors":"no list"}', 'UNAVAILABLE'],
    [200, 'application/json', '{"errors":[null]}', 'UNAVAILABLE'],
    [200, 'application/json', '{"errors":[{}]}', 'INTERNAL_SERVER_ERROR'],
    [200, 'application/json', '{"errors":[{"message":7,"extensions":"x"}]}', 'INTERNAL_SERVER_ERROR'],
    [200, 'application/json', '{"errors":[{"message":"","extensions":{"code":{}}}]}', '[object Object]'],
    [401, 'text/html', html, 'UNAUTHENTICATED'],
    [403, 'text/html', html, 'BAD_REQUEST'],
    [404, 'text/html', html, 'BAD_REQUEST'],
    [408, 'text/html', html, 'UNAVAILABLE'],
    [413, 'text/html', html, 'BAD_REQUEST'],
    [429, 'text/html', html, 'UNAVAILABLE'],
    [502, 'text/html', html, 'UNAVAILABLE'],
  ];
  for (const [status, type, body, code] of cases) {
    impostor.says(status, type, body);
    const isSo = (error) => error instanceof CauserieError && error.code === code && error.isRetryable === (code === 'UNAVAILABLE');
    await assert.rejects(clientOf().viewer(), isSo, `${status} ${body}`);
    await assert.rejects(drain(clientOf().subscribe(QUERY)), isSo, `${status} ${body}, as a stream`);
  }
  impostor.says(503, 'text/html', html, { 'retry-after': '2' });
  await assert.rejects(clientOf().viewer(), { retryAfter: 2000 });
});

test('an event that is nothing of the API ends the connection, and neither hangs nor passes', async () => {
  for (const event of ['data: nonsense', 'data: null', 'data: []', 'data: {}', 'data: {"data":null}', 'data: {"errors":[null]}', 'data: \xff\xfe']) {
    impostor.says(200, 'text/event-stream', Buffer.from(`event: next\n${event}\n\n`, 'latin1'));
    const taken = [];
    const reading = async () => {
      for await (const data of clientOf().subscribe(QUERY)) taken.push(data);
    };
    await assert.rejects(reading, (error) => error instanceof CauserieError && error.isRetryable, event);
    assert.deepEqual(taken, [], event);
  }
  // An end in the middle of an event or without one is a lost connection.
  for (const text of ['', ':\n\n', 'event: next\ndata: {"data":{"changes"', 'event: comp']) {
    impostor.says(200, 'text/event-stream', text);
    await assert.rejects(drain(clientOf().subscribe(QUERY)), { code: 'NETWORK' });
  }
  // Kinds that are not known are left out.
  impostor.says(200, 'text/event-stream', `${eventOf({ data: { replyProgress: { __typename: 'ReplySang' } } })}event: complete\n\n`);
  const reply = { id: '1', progressCursor: 'a', parts: [], content: '' };
  assert.equal((await drain(clientOf().follow(reply))).length, 1);
});

test('an event of many megabytes costs time in proportion, and one without an end is given up', async () => {
  const send = async (megabytes) => {
    const text = 'x'.repeat(megabytes * 2 ** 20);
    impostor.answer = async (response) => {
      impostor.stream(response);
      const bytes = Buffer.from(`${eventOf({ data: { text } })}event: complete\n\n`);
      for (let at = 0; at < bytes.length; at += 8192) if (!response.write(bytes.subarray(at, at + 8192))) await new Promise((resolve) => response.once('drain', resolve));
      response.end();
    };
    const began = performance.now();
    const [data] = await drain(clientOf().subscribe(QUERY));
    assert.equal(data.text.length, text.length);
    return performance.now() - began;
  };
  await send(1);
  const [small, large] = [await send(4), await send(32)];
  // Eight times as much; if the whole were looked through with each chunk, it would take 64 times as long.
  assert.ok(large < 25 * small, `${small} ms and ${large} ms`);

  impostor.answer = async (response) => {
    impostor.stream(response).write('data: "');
    const chunk = 'x'.repeat(2 ** 20);
    const isClosed = new Promise((resolve) => response.once('close', resolve));
    while (!response.destroyed) if (!response.write(chunk)) await Promise.race([new Promise((resolve) => response.once('drain', resolve)), isClosed]);
  };
  await assert.rejects(drain(clientOf().subscribe(QUERY)), { code: 'ANSWER_TOO_LARGE', isRetryable: false });
});

test('connections that break at once are not made again at once, however far they get', async () => {
  let cursor = 0;
  impostor.answer = (response) => {
    impostor.stream(response);
    response.end(eventOf({ data: { changes: { __typename: 'ConversationDeleted', cursor: String((cursor += 1)), conversationId: '1' } } }));
  };
  const leaving = new AbortController();
  const reading = drain(clientOf().changes('0', { signal: leaving.signal }));
  await delay(3000);
  leaving.abort();
  await assert.rejects(reading, { name: 'AbortError' });
  // After 0.25, 0.5, 1 and 2 seconds at most, and half of these at least.
  assert.ok(impostor.requests.length >= 3 && impostor.requests.length <= 6, `${impostor.requests.length} connections`);
});

test('clients that have lost their server at the same moment do not come back at the same moment', async () => {
  const open = [];
  const returns = [];
  const leaving = Array.from({ length: 60 }, () => new AbortController());
  leaving.forEach(({ signal }) => {
    // Without a network in between, which would scatter them too.
    const fetch = async (_, init) => {
      if (open.length === leaving.length) {
        returns.push(performance.now());
        return new Promise((_, reject) => init.signal.addEventListener('abort', reject));
      }
      return new Response(new ReadableStream({ start: (body) => void open.push(body) }), { headers: { 'content-type': 'text/event-stream' } });
    };
    void drain(clientOf({ fetch }).changes('0', { signal })).catch(() => {});
  });
  while (open.length < leaving.length) await delay(10);
  for (const body of open) body.error(new TypeError('terminated'));
  while (returns.length < leaving.length) await delay(10);
  for (const one of leaving) one.abort();
  // Over an eighth of a second, but for the first and the last few.
  assert.ok(returns[54] - returns[5] > 60, `within ${returns.at(-1) - returns[0]} ms`);
});

test('how long a server asks to wait is heeded, within reason', async () => {
  for (const retryAfter of [1e12, -1, 5]) {
    impostor.requests.splice(0);
    impostor.says(200, 'application/json', JSON.stringify({ errors: [{ message: 'Later', extensions: { code: 'RATE_LIMITED', retryAfter } }] }));
    const leaving = new AbortController();
    const reading = assert.rejects(drain(clientOf().changes('0', { signal: leaving.signal })), { name: 'AbortError' });
    await delay(700);
    leaving.abort();
    await reading;
    // A wait of centuries would overflow the timer, and end at once.
    const expected = retryAfter < 0 ? [2, 4] : [1, 1];
    const { length } = impostor.requests;
    assert.ok(length >= expected[0] && length <= expected[1], `${retryAfter}: ${length}`);
  }
});

test('a request that is aborted ends at once, wherever it is, and leaves no connection', async () => {
  const closed = [];
  const places = {
    'before it is sent': () => {},
    'before the head': () => {},
    'in the middle of the body': (response) => impostor.stream(response).write('event: next\ndata: {'),
  };
  for (const [place, answer] of Object.entries(places)) {
    for (const begin of [(client, of) => client.viewer(of), (client, of) => drain(client.subscribe(QUERY, {}, of)), (client, of) => drain(client.send({ content: 'x' }, of))]) {
      const reached = new Promise((resolve) => {
        impostor.answer = (response) => {
          answer(response);
          closed.push(new Promise((end) => response.once('close', end)));
          resolve();
        };
      });
      const leaving = new AbortController();
      const reason = new Error('left');
      if (place === 'before it is sent') leaving.abort(reason);
      const request = assert.rejects(begin(clientOf(), { signal: leaving.signal }), (error) => error === reason, place);
      if (place !== 'before it is sent') await reached;
      leaving.abort(reason);
      await request;
    }
  }
  await Promise.all(closed);
});

test('a request that is never answered counts as lost, and one that awaits a reply may take its time', async () => {
  impostor.answer = () => {};
  await assert.rejects(clientOf().viewer({ timeout: 100 }), { code: 'NETWORK' });
  const awaiting = clientOf().mutate('sendMessage', { content: 'x' }, 'reply { id }', { timeout: 100 });
  await assert.rejects(awaiting, { code: 'NETWORK' });
  assert.equal(impostor.requests.length, 4, 'a mutation is repeated twice');
});

test('requests that are refused together share one new token', async () => {
  let good = 'old';
  const asked = [];
  impostor.answer = (response) => {
    const { authorization } = impostor.requests.at(-1);
    const body = authorization === `Bearer ${good}` ? { data: { viewer: { id: '1' } } } : { errors: [{ message: 'Refused', extensions: { code: 'UNAUTHENTICATED' } }] };
    setTimeout(() => response.setHeader('content-type', 'application/json').end(JSON.stringify(body)), 20 * Math.random());
  };
  let current = 'old';
  const client = clientOf({
    async token(isRefused) {
      asked.push(isRefused);
      if (!isRefused) return current;
      await delay(30);
      return (current = good);
    },
  });
  await client.viewer();
  good = 'new';
  await Promise.all(Array.from({ length: 8 }, () => client.viewer()));
  assert.equal(asked.filter(Boolean).length, 1);
});

test('a token that never comes is a lost connection, and is asked for again', async () => {
  let asked = 0;
  const token = () => ((asked += 1) > 2 ? server.token : new Promise(() => {}));
  const client = createClient({ url: `${server.url}/graphql`, token, silence: 1000 });
  await assert.rejects(client.viewer({ timeout: 100 }), { code: 'NETWORK', isRetryable: true });
  for await (const { reply } of client.send({ content: 'Patient' })) if (reply.status === 'COMPLETE') break;
  assert.ok(asked > 2);
});

test('a new token may take longer than a connection, and whoever refuses it is heard', async () => {
  const token = async (isRefused) => {
    if (!isRefused) return 'expired';
    await delay(1500);
    throw new CauserieError('Sign in again.', 'UNAUTHENTICATED');
  };
  const iterate = () => assert.fail('there is no reason for sockets');
  const page = replicaOf(createClient({ url: `${server.url}/graphql`, token, iterate, blockedAfter: 500 }));
  await until(page, () => page.status === 'signed-out', 5000);
  const client = createClient({ url: `${server.url}/graphql`, token, iterate, blockedAfter: 500 });
  await assert.rejects(drain(client.subscribe(QUERY)), { code: 'UNAUTHENTICATED' });
});

test('a message waits while no token can be had, and is sent once there is one', async () => {
  let fails = true;
  const token = async () => {
    if (fails) throw new TypeError('Failed to fetch');
    return server.token;
  };
  const page = replicaOf(createClient({ url: `${server.url}/graphql`, token }));
  const { key } = page.send({ content: 'Kept' });
  await until(page, () => page.status === 'offline');
  assert.equal(page.thread(key).outgoing[0].state, 'sending');
  fails = false;
  page.reconnect();
  await until(page, () => page.thread(key).messages.length === 2 && page.thread(key).running.length === 0);
  fails = true;
  page.send({ content: 'Kept too', conversationId: key });
  await until(page, () => page.thread(key).outgoing[0]?.state === 'waiting');
  fails = false;
  await until(page, () => page.thread(key).messages.length === 4);
});

test('a storage that is broken, full or shared costs no message and sends none that was taken back', async () => {
  const client = createClient({ url: `${server.url}/graphql`, token: server.token });
  const broken = new MemoryStorage();
  for (const [name, value] of [['a', '{'], ['b', 'null'], ['c', '{}'], ['d', '']]) broken.setItem(`causerie:${name}`, value);
  broken.setItem('other', 'left alone');
  const page = replicaOf(client, { storage: broken });
  await until(page, () => page.status === 'live');
  assert.deepEqual([...broken.entries], [['other', 'left alone']]);

  const full = new MemoryStorage();
  full.setItem = () => {
    throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
  };
  const tight = replicaOf(client, { storage: full });
  const { key } = tight.send({ content: 'There is no room' });
  await until(tight, () => tight.thread(key).messages.length === 2);

  const shared = new MemoryStorage();
  const offline = () => Promise.reject(new TypeError('fetch failed'));
  const away = createClient({ url: `${server.url}/graphql`, token: server.token, fetch: (...request) => (isAway ? offline() : fetch(...request)) });
  let isAway = false;
  const first = replicaOf(away, { storage: shared });
  await until(first, () => first.status === 'live');
  isAway = true;
  const kept = first.send({ content: 'Sent by two windows' });
  const taken = first.send({ content: 'Taken back' });
  await until(first, () => first.thread(taken.key).outgoing[0].state === 'waiting');
  const second = replicaOf(away, { storage: shared });
  first.discard(taken.key);
  isAway = false;
  for (const window of [first, second]) window.reconnect();
  await until(second, () => second.thread(kept.key).messages.length === 2);
  await until(first, () => first.thread(kept.key).messages.length === 2);
  const { nodes } = await client.conversations({ first: 100 });
  const titles = nodes.map(({ title }) => title);
  assert.equal(titles.filter((title) => title === 'Sent by two windows').length, 1);
  assert.ok(!titles.includes('Taken back'));
});

test('rows that lead round in a circle do not hang a page', async () => {
  const rows = ['1', '2'].map((id, index, all) => ({
    id, conversation: { id: 'c' }, parent: { id: all[1 - index] }, role: 'USER', status: 'COMPLETE', parts: [], content: '',
    progressCursor: null, siblingIndex: 0, siblingCount: 1, previousVersionId: null, nextVersionId: null, finishedAt: 'x', position: index,
  }));
  const conversation = { id: 'c', state: 'ACTIVE', updatedAt: '', pinnedAt: null, lastMessage: { id: '1' }, messages: { nodes: rows } };
  const pageInfo = { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null };
  impostor.answer = (response, { query }) => {
    if (query.startsWith('subscription')) return impostor.stream(response).write(':\n\n');
    const data = query.includes('changeCursor')
      ? { viewer: { id: '1', changeCursor: '0', conversations: { nodes: [conversation], pageInfo } } }
      : { conversation, messages: { nodes: rows, pageInfo } };
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ data }));
  };
  const page = replicaOf(clientOf());
  await until(page, () => page.status === 'live');
  page.thread('c');
  await until(page, () => !page.thread('c').isLoading);
  assert.ok(page.thread('c').messages.length <= 2);
});
