// A computer that sleeps: its page stands still while its clock goes on, and the network forgets its connections without
// closing them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startProxy } from '../packages/proxy.mjs';
import { setUp } from './chat.mjs';

let site, proxy;
before(async () => {
  site = await setUp();
  proxy = await startProxy(site.server.url);
});
after(async () => {
  proxy?.close();
  await site?.close();
});

/** Lets the computer sleep until the reply is stored, for an hour of which no timer knows. */
async function sleep(chat, content) {
  const session = await chat.context.newCDPSession(chat.page);
  await session.send('Page.setWebLifecycleState', { state: 'frozen' });
  proxy.swallow();
  const query = '{ conversations(first: 1) { nodes { lastMessage { status content } } } }';
  for (let last; last?.status !== 'COMPLETE'; await delay(100)) {
    last = (await site.run(query)).conversations.nodes[0].lastMessage;
    assert.ok(last.status !== 'FAILED');
  }
  assert.equal(await chat.replies.filter({ hasText: content }).count(), 0);
  // Once it has read what had come before.
  const jump = 'setTimeout(() => (Date.now = ((now) => () => now() + 3_600_000)(Date.now)), 500)';
  await session.send('Runtime.evaluate', { expression: jump });
  await session.send('Page.setWebLifecycleState', { state: 'active' });
  await chat.page.bringToFront();
}

/** The two ways of the feed, and within how many milliseconds a connection that is dead is left. */
for (const [way, isBlocked, limit] of [['an event stream', false, 30_000], ['a socket', true, 60_000]]) {
  test(`after a sleep, a page on ${way} shows the whole reply without a reload, and sends`, { timeout: 180_000 }, async () => {
    const chat = await site.tab('graphiql');
    if (isBlocked) {
      await chat.context.route('**/graphql', (route) =>
        route.request().headers()['accept']?.startsWith('text/event-stream') ? route.abort() : route.continue());
    }
    let sockets = 0;
    chat.page.on('websocket', () => (sockets += 1));
    await chat.page.goto(proxy.url);
    await chat.send(`Asleep by ${way} ${'word '.repeat(150)}end`);
    await chat.replies.filter({ hasText: 'word word word' }).waitFor();
    assert.equal(sockets > 0, isBlocked);
    await sleep(chat, 'word end');
    const woke = performance.now();
    await chat.replies.filter({ hasText: 'word end' }).waitFor({ timeout: limit });
    console.log(`whole ${Math.round(performance.now() - woke)} ms after waking from a sleep on ${way}`);
    await chat.send('Awake again');
    await chat.replies.filter({ hasText: 'Awake again' }).waitFor({ timeout: limit });
    console.log(`answered ${Math.round(performance.now() - woke)} ms after it`);
    assert.equal((await chat.replies.first().locator('.markdown').innerText()).match(/word/g).length, 150);
    assert.deepEqual([await chat.said.count(), await chat.replies.count()], [2, 2]);
    await chat.close();
  });
}
