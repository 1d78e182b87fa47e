// @causerie/client on a computer that has slept: the network has forgotten its connections, and nobody has told it.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { createClient } from '@causerie/client';
import { createReplica } from '@causerie/client/replica';
import { startProxy } from './proxy.mjs';
import { startServer } from './servers.mjs';
import { until } from './until.mjs';

const WORDS = Array.from({ length: 40 }, (_, index) => `word${index}`).join(' ');
/** What `Date` tells. */
const { now } = Date;

let server, proxy, client;
const replicas = [];
before(async () => {
  server = await startServer({ CAUSERIE_ECHO_DELAY: '30ms' });
  proxy = await startProxy(server.url);
  client = createClient({ url: `${proxy.url}/graphql`, token: server.token });
});
afterEach(() => {
  Date.now = now;
  replicas.splice(0).forEach((replica) => replica.stop());
});
after(async () => {
  proxy.close();
  await server.stop();
});

/** The connections are lost, and an hour passes of which no timer knows, once what had come before is read. */
function sleep() {
  proxy.swallow();
  setTimeout(() => {
    Date.now = () => now() + 3_600_000;
  }, 1000);
}

test('a stream goes on within a few seconds of waking, with no word twice', { timeout: 120_000 }, async () => {
  let text = '';
  let last, woke;
  for await (const { reply, event } of client.send({ content: WORDS })) {
    last = reply;
    if (event.__typename !== 'ReplyText') continue;
    text += event.text;
    if (woke === undefined && text.includes('word2 ')) {
      sleep();
      woke = performance.now();
    }
  }
  const took = performance.now() - woke;
  assert.equal(last.status, 'COMPLETE');
  assert.equal(text, last.content);
  assert.ok(text.endsWith(WORDS));
  assert.ok(took < 20_000, `${took} ms`);
});

test('a replica shows the whole reply soon after waking, and sends', { timeout: 120_000 }, async () => {
  const page = createReplica({ client });
  replicas.push(page);
  page.start();
  await until(page, () => page.status === 'live');
  const { key } = page.send({ content: WORDS });
  await until(page, () => page.thread(key).messages[1]?.content.includes('word2 '));
  sleep();
  const woke = performance.now();
  await until(page, () => page.thread(key).messages[1].status === 'COMPLETE', 40_000);
  page.send({ content: 'Awake', conversationId: key });
  await until(page, () => page.thread(key).messages[3]?.status === 'COMPLETE', 40_000);
  const took = performance.now() - woke;
  const { nodes } = await client.messages({ conversationId: page.resolve(key) });
  assert.deepEqual(page.thread(key).messages.map(({ content }) => content), nodes.map(({ content }) => content));
  assert.equal(nodes.length, 4);
  assert.ok(nodes[1].content.endsWith(WORDS));
  assert.ok(took < 40_000, `${took} ms`);
});
