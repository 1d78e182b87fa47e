// @causerie/assistant-ui from its tarball, in an app with assistant-ui's own primitives, in a browser.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { createClient } from '@causerie/client';
import { launch } from '../graphiql/browser.mjs';
import { startProxy } from './proxy.mjs';
import { startCluster, startServer } from './servers.mjs';
import { openPage, serve } from './site.mjs';

/** Enough for something to happen while they are repeated. */
const WORDS = Array.from({ length: 40 }, (_, index) => `word${index}`).join(' ');
const FEW = WORDS.split(' ').slice(0, 12).join(' ');

let server, proxy, site, browser, client;
const faults = [];
const pages = [];
before(async () => {
  server = await startServer({ CAUSERIE_ECHO_DELAY: '60ms' });
  proxy = await startProxy(server.url);
  client = createClient({ url: `${server.url}/graphql`, token: server.token });
  [site, browser] = await Promise.all([serve("import './app/assistant-ui.tsx';"), launch()]);
});
afterEach(async () => {
  await Promise.all(pages.splice(0).map((page) => page.context().close()));
  assert.deepEqual(faults.splice(0), []);
});
after(async () => {
  await browser?.close();
  site?.close();
  proxy.close();
  await server.stop();
});

async function open(thread, { url, token } = server, options = {}) {
  const hash = new URLSearchParams({ url: `${url}/graphql`, token, ...(thread && { thread }), ...options });
  const page = await openPage(browser, `${site.url}#${hash}`, faults);
  pages.push(page);
  return page;
}

async function send(page, text) {
  await page.fill('.input', text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const reply = (page, text) => page.locator('.assistant .text').filter({ hasText: text });
const ended = (page, text) => reply(page, new RegExp(`You wrote:\\s+${text}$`)).waitFor();
const threadOf = (page) => page.evaluate(() => new URLSearchParams(location.hash.slice(1)).get('thread'));

test('a first message begins a thread, which is listed, titled, and there after a reload', async () => {
  const page = await open();
  await send(page, 'What about pears?');
  await page.locator('.user .text', { hasText: 'What about pears?' }).waitFor();
  await ended(page, 'What about pears\\?');
  await page.locator('.thread', { hasText: 'What about pears?' }).waitFor();
  await send(page, 'And apples?');
  await ended(page, 'And apples\\?');
  assert.equal(await page.locator('.message').count(), 4);
  const thread = await threadOf(page);
  assert.equal((await client.messages({ conversationId: thread })).nodes.length, 4);
  await page.reload();
  await ended(page, 'And apples\\?');
  assert.equal(await page.locator('.message').count(), 4);
});

test('a reload in mid-reply goes on with it, and stop stops it', async () => {
  const page = await open();
  await send(page, WORDS);
  await reply(page, 'word0 word1').waitFor();
  await page.reload();
  await ended(page, WORDS);
  await send(page, `${WORDS} again`);
  await reply(page, 'word0 word1').nth(1).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  const conversationId = await threadOf(page);
  await page.waitForFunction(() => !document.querySelector('.assistant:last-of-type')?.textContent.includes('again'));
  let last;
  do last = (await client.messages({ conversationId, last: 1 })).nodes[0];
  while (last.status === 'GENERATING');
  assert.equal(last.status, 'STOPPED');
  await reply(page, last.content).nth(-1).waitFor();
});

test('edits and reloads are branches, which can be switched and stay so', async () => {
  const page = await open();
  await send(page, 'Pears');
  await ended(page, 'Pears');
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.fill('.edit', 'Apples');
  await page.getByRole('button', { name: 'Save' }).click();
  await ended(page, 'Apples');
  await page.locator('.user .branch', { hasText: '2 / 2' }).waitFor();
  await page.getByRole('button', { name: 'Reload' }).click();
  await page.locator('.assistant .branch', { hasText: '2 / 2' }).waitFor();
  await ended(page, 'Apples');
  await page.getByRole('button', { name: 'Reload' }).click();
  await page.locator('.assistant .branch', { hasText: '3 / 3' }).waitFor();
  await ended(page, 'Apples');
  await page.locator('.assistant').getByRole('button', { name: 'Previous' }).click();
  await page.locator('.assistant .branch', { hasText: '2 / 3' }).waitFor();
  await ended(page, 'Apples');
  await page.locator('.user').getByRole('button', { name: 'Previous' }).click();
  await page.locator('.user .branch', { hasText: '1 / 2' }).waitFor();
  await ended(page, 'Pears');
  await page.reload();
  await page.locator('.user .branch', { hasText: '1 / 2' }).waitFor();
  await ended(page, 'Pears');
  // Back to the newest branch, which was not loaded since.
  await page.locator('.user').getByRole('button', { name: 'Next' }).click();
  await ended(page, 'Apples');
  await page.locator('.assistant .branch', { hasText: '3 / 3' }).waitFor();
});

test('two windows show the same, word by word', async () => {
  const page = await open();
  await send(page, 'Pears');
  await ended(page, 'Pears');
  const window = await open(await threadOf(page));
  await ended(window, 'Pears');
  await send(page, WORDS);
  await reply(window, 'word0 word1').waitFor();
  assert.equal(await reply(window, 'word39').count(), 0);
  await ended(window, WORDS);
  await page.locator('.assistant').last().getByRole('button', { name: 'Good' }).click();
  const rated = window.locator('.assistant').last().locator('button[data-submitted]');
  await rated.waitFor();
  // The same rating once more takes it back.
  await page.locator('.assistant').last().getByRole('button', { name: 'Good' }).click();
  await rated.waitFor({ state: 'detached' });
});

/** A thread of so many questions with their replies. */
async function questions(count = 10) {
  let id;
  for (let number = 1; number <= count; number += 1) {
    for await (const { reply } of client.send({ content: `Question ${number}`, ...(id && { conversationId: id }) })) id = reply.conversation.id;
  }
  return id;
}

test('of a long thread, assistant-ui has a window, which moves', async () => {
  const id = await questions(6);
  const page = await open(id, server, { count: '3' });
  const shows = (...numbers) => {
    const wanted = numbers.map((number) => `Question ${number}`).join();
    return page.waitForFunction((it) => [...document.querySelectorAll('.user .text')].map(({ innerText }) => innerText).join() === it, wanted);
  };
  await shows(6);
  await page.getByRole('button', { name: 'Older' }).click();
  await shows(5, 6);
  await page.getByRole('button', { name: 'Older' }).click();
  await shows(4, 5);

  // What comes at the end moves nothing, and assistant-ui expects no reply here.
  const sending = client.send({ content: WORDS, conversationId: id });
  await sending.next();
  await page.getByRole('button', { name: 'Stop', disabled: false }).waitFor();
  assert.equal(await page.locator('.message').count(), 4);
  assert.match(await page.locator('.message .text').last().innerText(), /Question 5$/);
  await page.getByRole('button', { name: 'Newest' }).click();
  await reply(page, 'word0 word1').waitFor();
  assert.equal(await page.locator('.message').count(), 3);
  await page.getByRole('button', { name: 'Stop' }).click();
  let last;
  for await (const { reply } of sending) last = reply;
  assert.equal(last.status, 'STOPPED');
  await page.getByRole('button', { name: 'Stop', disabled: true }).waitFor();

  // The first message of a window has its parent outside of it. An edit ends what follows, so that the end is shown.
  await page.getByRole('button', { name: 'Older' }).click();
  await page.locator('.user .text', { hasText: 'Question 6' }).waitFor();
  await page.getByRole('button', { name: 'Older' }).click();
  await shows(5, 6);
  await page.locator('.message').first().getByRole('button', { name: 'Edit' }).click();
  await page.fill('.edit', 'Another question');
  await page.getByRole('button', { name: 'Save' }).click();
  await ended(page, 'Another question');
  const edited = page.locator('.user', { hasText: 'Another question' });
  await edited.locator('.branch', { hasText: '2 / 2' }).waitFor();
  await edited.getByRole('button', { name: 'Previous' }).click();
  await shows(5, 6);
});

test('the first reply of a window is reloaded, and none of those before it', async () => {
  const id = await questions(3);
  const page = await open(id, server, { count: '3' });
  await ended(page, 'Question 3');
  const first = page.locator('.message').first();
  assert.equal(await first.locator('.text').innerText(), await reply(page, 'Question 2').innerText());
  await first.getByRole('button', { name: 'Reload' }).click();
  await page.locator('.assistant .branch', { hasText: '2 / 2' }).waitFor();
  const { nodes } = await client.messages({ conversationId: id });
  assert.deepEqual(nodes.map(({ siblingCount }) => siblingCount), [1, 1, 1, 2]);
});

test('a message that is sent while a reply is being written waits for its turn', async () => {
  const page = await open();
  await send(page, WORDS);
  await reply(page, 'word0 word1').waitFor();
  await page.fill('.input', 'And then?');
  await page.locator('.input').press('Enter');
  await page.locator('.user .text', { hasText: 'And then?' }).waitFor();
  assert.equal(await page.inputValue('.input'), '');
  // What is being written is stopped, and not what waits.
  await page.getByRole('button', { name: 'Stop' }).click();
  await ended(page, 'And then\\?');
  const { nodes } = await client.messages({ conversationId: await threadOf(page) });
  assert.deepEqual(nodes.map(({ status }) => status), ['COMPLETE', 'STOPPED', 'COMPLETE', 'COMPLETE']);
});

test('an edit that fails is told of, and opened again with its text', async () => {
  const page = await open(undefined, { url: proxy.url, token: server.token });
  await send(page, 'Pears');
  await ended(page, 'Pears');
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.fill('.edit', 'Apples, and many words');
  proxy.down();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.error', { hasText: /./ }).waitFor();
  assert.equal(await page.inputValue('.edit'), 'Apples, and many words');
  proxy.up();
  await page.getByRole('button', { name: 'Save' }).click();
  await ended(page, 'Apples, and many words');
  await page.locator('.user .branch', { hasText: '2 / 2' }).waitFor();
  faults.splice(0);
});

test('a thread that is begun offline is shown after a reload, and what is written in it stays when it has its id', async () => {
  const page = await open(undefined, { url: proxy.url, token: server.token });
  await page.locator('.input').waitFor();
  proxy.down();
  await send(page, 'Begun offline');
  await page.locator('.user .text', { hasText: 'Begun offline' }).waitFor();
  const key = await threadOf(page);
  await page.reload();
  await page.locator('.user .text', { hasText: 'Begun offline' }).waitFor();
  await page.fill('.input', 'half a thought');
  proxy.up();
  await ended(page, 'Begun offline');
  assert.notEqual(await threadOf(page), key);
  assert.equal(await page.inputValue('.input'), 'half a thought');
  faults.splice(0);
});

test('what is shown counts as read, unless the app says so itself', async () => {
  const unread = async (id) => (await client.conversation(id)).unreadCount;
  const id = await questions(1);
  assert.equal(await unread(id), 1);
  const page = await open(id, server, { unread: '' });
  await ended(page, 'Question 1');
  assert.equal(await unread(id), 1);
  const other = await open(id);
  await ended(other, 'Question 1');
  while ((await unread(id)) > 0);
});

test('what is sent offline goes out once, after a reload too', async () => {
  const page = await open(undefined, { url: proxy.url, token: server.token });
  await send(page, 'Pears');
  await ended(page, 'Pears');
  proxy.down();
  await send(page, 'Sent offline');
  await page.locator('.user .text', { hasText: 'Sent offline' }).waitFor();
  await page.reload();
  proxy.up();
  await ended(page, 'Sent offline');
  const { nodes } = await client.messages({ conversationId: await threadOf(page) });
  assert.deepEqual(nodes.filter(({ role }) => role === 'USER').map(({ content }) => content), ['Pears', 'Sent offline']);
  faults.splice(0);
});

test('two tabs that share what was written offline send it once', async () => {
  const tab = await open(undefined, { url: proxy.url, token: server.token });
  await send(tab, 'Pears');
  await ended(tab, 'Pears');
  proxy.down();
  await send(tab, 'From one of two tabs');
  await tab.locator('.user .text', { hasText: 'From one of two tabs' }).waitFor();
  const other = await openPage(tab.context(), tab.url(), faults);
  await other.locator('.input').waitFor();
  proxy.up();
  for (const page of [tab, other]) await ended(page, 'From one of two tabs');
  for (const page of [tab, other]) assert.equal(await page.locator('.message').count(), 4);
  const { nodes } = await client.messages({ conversationId: await threadOf(tab) });
  assert.deepEqual(nodes.map(({ role }) => role), ['USER', 'ASSISTANT', 'USER', 'ASSISTANT']);
  assert.deepEqual(await tab.evaluate(() => Object.keys(localStorage)), []);
  faults.splice(0);
});

test('threads are switched, renamed, archived, brought back and deleted', async () => {
  const page = await open();
  for (const text of ['First thread', 'Second thread']) {
    await page.getByRole('button', { name: 'New', exact: true }).click();
    await page.locator('.message').first().waitFor({ state: 'detached' });
    await send(page, text);
    await ended(page, text);
  }
  await page.locator('.thread', { hasText: 'First thread' }).getByRole('button', { name: 'First thread' }).click();
  await ended(page, 'First thread');
  await page.locator('.thread', { hasText: 'Second thread' }).getByRole('button', { name: 'Archive' }).click();
  await page.locator('.thread', { hasText: 'Second thread' }).waitFor({ state: 'detached' });
  await page.locator('.archived-thread', { hasText: 'Second thread' }).getByRole('button', { name: 'Unarchive' }).click();
  await page.locator('.thread', { hasText: 'Second thread' }).getByRole('button', { name: 'Rename' }).click();
  await page.locator('.thread', { hasText: 'Renamed' }).getByRole('button', { name: 'Archive' }).click();
  await page.locator('.archived-thread', { hasText: 'Renamed' }).waitFor();
  await page.locator('.thread', { hasText: 'First thread' }).getByRole('button', { name: 'Delete' }).click();
  await page.locator('.thread', { hasText: 'First thread' }).waitFor({ state: 'detached' });
  await page.locator('.message').first().waitFor({ state: 'detached' });
  const { nodes } = await client.conversations({ filter: { states: ['ARCHIVED', 'TRASHED'] } });
  assert.deepEqual(nodes.map(({ title, state }) => [title, state]).sort(), [['First thread', 'TRASHED'], ['Renamed', 'ARCHIVED']]);
});

test('a reply that fails says why, and reloading it tries again', async () => {
  const page = await open();
  await send(page, '/fail');
  await page.locator('.assistant [role=alert]').waitFor();
  await page.getByRole('button', { name: 'Reload' }).click();
  const conversationId = await threadOf(page);
  await page.locator('.assistant [role=alert]').waitFor();
  assert.equal((await client.messages({ conversationId })).nodes[1].siblingCount, 1);
});

test('a reply goes on after kill -9 of its server, in the same page', { timeout: 120_000 }, async () => {
  const cluster = await startCluster({ CAUSERIE_ECHO_DELAY: '100ms' });
  try {
    const page = await open(undefined, cluster);
    await send(page, FEW);
    for (const word of ['word3', 'word5']) {
      await reply(page, word).waitFor();
      await cluster.kill();
    }
    await ended(page, FEW);
    assert.equal(await page.locator('.message').count(), 2);
    const { nodes } = await createClient({ url: `${cluster.url}/graphql`, token: cluster.token }).messages({ conversationId: await threadOf(page) });
    assert.deepEqual(nodes.map(({ status }) => status), ['COMPLETE', 'COMPLETE']);
    assert.equal(await page.locator('.assistant .text').evaluate((element) => element.textContent), nodes[1].content);
    faults.splice(0);
  } finally {
    await cluster.stop();
  }
});
