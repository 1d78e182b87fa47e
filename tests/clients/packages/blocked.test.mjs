// @causerie/client behind a proxy that holds event streams back, as some of companies and of virus scanners do: the
// sockets of `graphql-ws` take their place.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import { connect } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@causerie/client';
import { createReplica } from '@causerie/client/replica';
import { createClient as createSockets } from 'graphql-ws';
import WebSocket from 'ws';
import { startServer } from './servers.mjs';
import { until } from './until.mjs';

let server, proxy, blocks, sockets;
/** How many streams were asked for, each way. */
let counts;
const ends = [];
before(async () => {
  server = await startServer({ CAUSERIE_ECHO_DELAY: '30ms' });
  const { hostname, port } = new URL(server.url);
  proxy = createServer((incoming, outgoing) => {
    if (blocks.all) return incoming.destroy();
    const isStream = incoming.headers.accept?.includes('event-stream');
    if (isStream) counts.events += 1;
    const upstream = forward({ hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers }, (response) => {
      // Nothing passes until all of it is there.
      if (isStream && blocks.events) return response.resume();
      outgoing.writeHead(response.statusCode, response.headers);
      response.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  proxy.on('upgrade', (incoming, socket, head) => {
    counts.sockets += 1;
    if (blocks.sockets || blocks.all) return socket.destroy();
    const upstream = connect(port, hostname, () => {
      const headers = incoming.rawHeaders.reduce((text, value, index) => text + value + (index % 2 ? '\r\n' : ': '), '');
      upstream.write(`GET ${incoming.url} HTTP/1.1\r\n${headers}\r\n`);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    for (const one of [socket, upstream]) one.on('error', () => upstream.destroy()).on('close', () => (upstream.destroy(), socket.destroy()));
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
});
afterEach(() => Promise.all(ends.splice(0).map((end) => end())));
after(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await server.stop();
});

function clientWith(what, options) {
  blocks = what;
  counts = { events: 0, sockets: 0 };
  const url = `http://127.0.0.1:${proxy.address().port}/graphql`;
  sockets = createSockets({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: { authorization: `Bearer ${server.token}` }, retryAttempts: 0, lazyCloseTimeout: 1000 });
  ends.push(() => sockets.dispose());
  return createClient({ url, token: server.token, iterate: (request) => sockets.iterate(request), blockedAfter: 500, ...options });
}

async function say(client, content) {
  let text = '';
  let last;
  for await (const { reply, event } of client.send({ content })) {
    if (event.__typename === 'ReplyText') text += event.text;
    last = reply;
  }
  assert.equal(last.status, 'COMPLETE');
  assert.equal(text, last.content);
  return last;
}

test('where event streams are held back, sockets carry replies, and the message is stored once', async () => {
  const client = clientWith({ events: true });
  const reply = await say(client, 'Through a bad proxy');
  assert.equal((await client.messages({ conversationId: reply.conversation.id })).nodes.length, 2);
  assert.deepEqual(counts, { events: 1, sockets: 1 });
  // It has learnt.
  await say(client, 'Once more');
  assert.equal(counts.events, 1);
});

test('where they are not, no socket is opened', async () => {
  const client = clientWith({});
  await say(client, 'Through a good proxy');
  assert.deepEqual(counts, { events: 1, sockets: 0 });
});

test('a page that has moved from one bad network to another goes on, each way', async () => {
  const client = clientWith({ events: true });
  const page = createReplica({ client });
  ends.push(() => page.stop());
  page.start();
  const { key } = page.send({ content: 'First' });
  await until(page, () => page.thread(key).messages[1]?.status === 'COMPLETE');
  assert.ok(counts.sockets > 0);
  blocks = { sockets: true };
  sockets.terminate();
  page.send({ content: 'Second', conversationId: key });
  await until(page, () => page.thread(key).messages[3]?.status === 'COMPLETE');
  assert.equal(page.thread(key).messages.length, 4);
});

test('a client may begin with sockets, and leaves them where they do not get through', async () => {
  await say(clientWith({}, { blockedAfter: 0 }), 'By a socket');
  assert.deepEqual(counts, { events: 0, sockets: 1 });
  await say(clientWith({ sockets: true }, { blockedAfter: 0 }), 'By an event stream');
  assert.deepEqual(counts, { events: 1, sockets: 1 });
});

for (const [way, blockedAfter, expected] of [['event streams', 500, 'events'], ['sockets', 0, 'sockets']]) {
  test(`a server that is away for a while is no reason to leave ${way}`, async () => {
    const page = createReplica({ client: clientWith({}, { blockedAfter }) });
    ends.push(() => page.stop());
    page.start();
    await until(page, () => page.status === 'live');
    const { key } = page.send({ content: 'First' });
    await until(page, () => page.thread(key).messages[1]?.status === 'COMPLETE');
    blocks = { all: true };
    proxy.closeAllConnections();
    sockets.terminate();
    await until(page, () => page.status === 'offline');
    // Long enough for some attempts.
    await delay(1500);
    blocks = {};
    counts = { events: 0, sockets: 0 };
    page.send({ content: 'Second', conversationId: key });
    await until(page, () => page.thread(key).messages[3]?.status === 'COMPLETE');
    assert.deepEqual(counts, { events: 0, sockets: 0, [expected]: 1 });
  });
}

test('a replica is live once the socket says that it is there', async () => {
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  const iterate = (request) => Object.assign(sockets.iterate(request), { opened });
  const page = createReplica({ client: clientWith({}, { iterate, blockedAfter: undefined }) });
  ends.push(() => page.stop());
  page.start();
  const { key } = page.send({ content: 'First' });
  await until(page, () => page.thread(key).messages[1]?.status === 'COMPLETE');
  assert.equal(page.status, 'connecting');
  open();
  await until(page, () => page.status === 'live');
});
