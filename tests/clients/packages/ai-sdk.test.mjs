// @causerie/ai-sdk from its tarball, with `useChat` in a browser.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { createChatTransport } from '@causerie/ai-sdk';
import { createClient } from '@causerie/client';
import { launch } from '../graphiql/browser.mjs';
import { startProxy } from './proxy.mjs';
import { startCluster, startServer } from './servers.mjs';
import { openPage, serve } from './site.mjs';

/** Enough for something to happen while they are repeated. */
const WORDS = Array.from({ length: 40 }, (_, index) => `word${index}`).join(' ');
const FEW = WORDS.split(' ').slice(0, 12).join(' ');

let server, proxy, site, browser, client, transport;
const faults = [];
const pages = [];
before(async () => {
  server = await startServer({ CAUSERIE_ECHO_DELAY: '60ms' });
  proxy = await startProxy(server.url);
  client = createClient({ url: `${server.url}/graphql`, token: server.token });
  transport = createChatTransport({ client });
  [site, browser] = await Promise.all([serve("import './app/ai-sdk.tsx';"), launch()]);
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

async function open(chat, { url, token } = server) {
  const hash = new URLSearchParams({ url: `${url}/graphql`, token, chat });
  const page = await openPage(browser, `${site.url}#${hash}`, faults);
  pages.push(page);
  return page;
}

async function click(page, name, text) {
  if (text !== undefined) await page.fill('.input', text);
  await page.getByRole('button', { name, exact: true }).last().click();
}

const reply = (page, text) => page.locator('.assistant .text').filter({ hasText: text });
const ended = async (page, text) => {
  await reply(page, new RegExp(`You wrote:\\s+${text}$`)).waitFor();
  await page.locator('main[data-status=ready]').waitFor();
};
/** The active path of a chat, as the server has it. */
async function stored(chat) {
  const { nodes } = await client.messages({ conversationId: await transport.conversationId(chat) });
  return nodes;
}

test('a chat of any name is begun by its first message, and there after a reload', async () => {
  const page = await open('a-chat');
  await click(page, 'Send', 'Pears');
  await ended(page, 'Pears');
  await click(page, 'Send', 'Apples');
  await ended(page, 'Apples');
  await page.reload();
  await ended(page, 'Apples');
  assert.equal(await page.locator('.message').count(), 4);
  assert.deepEqual((await stored('a-chat')).map(({ role }) => role), ['USER', 'ASSISTANT', 'USER', 'ASSISTANT']);
  assert.match(await page.locator('.assistant .metadata').last().innerText(), /COMPLETE 1/);
  // The conversation's own id is the same chat.
  const other = await open(await transport.conversationId('a-chat'));
  await ended(other, 'Apples');
  assert.equal(await other.locator('.message').count(), 4);
});

test('a refresh in mid-reply resumes it, without a word twice', async () => {
  const page = await open('refreshed');
  await click(page, 'Send', WORDS);
  await reply(page, 'word1').waitFor();
  await page.reload();
  await page.locator('main[data-status=streaming]').waitFor();
  await ended(page, WORDS);
  assert.equal(await page.locator('.message').count(), 2);
  const [, { content }] = await stored('refreshed');
  assert.equal(await page.locator('.assistant .text').evaluate((element) => element.textContent), content);
});

test('stop really stops, a resumed reply too', async () => {
  const page = await open('stopped');
  for (const isResumed of [false, true]) {
    await click(page, 'Send', `${WORDS} ${isResumed}`);
    await reply(page, 'word1').nth(isResumed ? 1 : 0).waitFor();
    if (isResumed) {
      await page.reload();
      await page.locator('main[data-status=streaming]').waitFor();
    }
    await click(page, 'Stop');
    await page.locator('main[data-status=ready]').waitFor();
    let last;
    do last = (await stored('stopped')).at(-1);
    while (last.status === 'GENERATING');
    assert.equal(last.status, 'STOPPED', `resumed: ${isResumed}`);
    assert.doesNotMatch(last.content, /word39/);
  }
});

test('a page that is left does not stop its reply', async () => {
  const page = await open('left');
  await click(page, 'Send', WORDS);
  await reply(page, 'word1').waitFor();
  await page.close();
  let last;
  do last = (await stored('left')).at(-1);
  while (last.status === 'GENERATING');
  assert.equal(last.status, 'COMPLETE');
});

test('edits and regenerations are versions on the server', async () => {
  const page = await open('branched');
  await click(page, 'Send', 'Pears');
  await ended(page, 'Pears');
  await click(page, 'Regenerate');
  await page.locator('.assistant .metadata', { hasText: 'COMPLETE 2' }).waitFor();
  await click(page, 'Edit', 'Apples');
  await ended(page, 'Apples');
  await click(page, 'Edit', 'Plums');
  await ended(page, 'Plums');
  const [question] = await stored('branched');
  assert.deepEqual((await client.versions(question.id)).map(({ content }) => content), ['Pears', 'Apples', 'Plums']);
  // After a reload, too.
  await page.reload();
  await ended(page, 'Plums');
  await click(page, 'Edit', 'Cherries');
  await ended(page, 'Cherries');
  await click(page, 'Regenerate');
  await page.locator('.assistant .metadata', { hasText: 'COMPLETE 2' }).waitFor();
  assert.equal((await client.versions(question.id)).length, 4);
});

test('a broken connection is resumed, without a word lost or repeated', async () => {
  const page = await open('broken', { url: proxy.url, token: server.token });
  await click(page, 'Send', WORDS);
  for (const word of ['word1', 'word10', 'word20']) {
    await reply(page, word).waitFor();
    proxy.cut();
  }
  await ended(page, WORDS);
  assert.equal((await stored('broken')).length, 2);
  faults.splice(0);
});

test('a reply goes on after kill -9 of its server, in the same page', { timeout: 120_000 }, async () => {
  const cluster = await startCluster({ CAUSERIE_ECHO_DELAY: '100ms' });
  try {
    const page = await open('killed', cluster);
    await click(page, 'Send', FEW);
    for (const word of ['word3', 'word5']) {
      await reply(page, word).waitFor();
      await cluster.kill();
    }
    await ended(page, FEW);
    assert.equal(await page.locator('.message').count(), 2);
    const there = createChatTransport({ url: `${cluster.url}/graphql`, token: cluster.token });
    const [, { parts, metadata }] = await there.history('killed');
    assert.equal(metadata.status, 'COMPLETE');
    assert.equal(await page.locator('.assistant .text').evaluate((element) => element.textContent), parts[0].text);
    faults.splice(0);
  } finally {
    await cluster.stop();
  }
});

test('what is refused is an error with its code, and is not sent', async () => {
  const page = await open('refused', { url: server.url, token: 'expired' });
  await page.locator('.error', { hasText: 'UNAUTHENTICATED' }).waitFor();
  const long = await open('long');
  await click(long, 'Send', 'x'.repeat(33_000));
  await long.locator('.error', { hasText: 'BAD_USER_INPUT' }).waitFor();
  await long.locator('main[data-status=error]').waitFor();
  assert.deepEqual(await stored('long'), []);
  faults.splice(0);
});

test('a failure is an error, and reasoning and tool calls are parts', async () => {
  const failing = await open('failing');
  await click(failing, 'Send', '/fail');
  await failing.locator('main[data-status=error]').waitFor();
  assert.notEqual(await failing.locator('.error').innerText(), '');
  const reasoning = await open('reasoning');
  await click(reasoning, 'Send', '/reason');
  await reasoning.locator('.reasoning', { hasText: 'The user wants to see reasoning.' }).waitFor();
  await reasoning.locator('.assistant .metadata', { hasText: 'COMPLETE' }).waitFor();
  const calling = await open('calling');
  await click(calling, 'Send', '/tool');
  await calling.locator('.assistant .tools').filter({ hasText: /\w/ }).waitFor();
});

test('a message that is sent twice under one id is stored once', async () => {
  const messages = [{ id: 'message-1', role: 'user', parts: [{ type: 'text', text: 'Pears' }] }];
  const options = { trigger: 'submit-message', chatId: 'twice', messageId: undefined, messages, abortSignal: undefined };
  for (let count = 0; count < 2; count += 1) {
    const chunks = [];
    for await (const chunk of await transport.sendMessages(options)) chunks.push(chunk);
    assert.equal(chunks.at(-1).type, 'finish');
  }
  assert.equal((await stored('twice')).length, 2);
  assert.equal(await transport.reconnectToStream({ chatId: 'twice' }), null);
  assert.equal(await transport.reconnectToStream({ chatId: 'unknown' }), null);
  await assert.rejects(transport.sendMessages({ ...options, messages: [{ id: '2', role: 'user', parts: [{ type: 'file', url: '', mediaType: '' }] }] }), /text only/);
});
