// Several windows, several users, and connections that are lost.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { start } from '../server.mjs';
import { setUp } from './chat.mjs';

let site;
before(async () => {
  site = await setUp();
});
after(() => site?.close());

test('what is written in one window is read in another while it is written', async () => {
  const [one, other] = [await site.tab(), await site.tab()];
  await one.send(`Shared ${'word '.repeat(100)}`);
  await other.entries.first().getByRole('link').click();
  await other.replies.filter({ hasText: 'Shared word word' }).waitFor();
  await other.button('Stop').click();
  await one.replies.getByText('Stopped').waitFor();

  await other.choose(other.entries.first(), 'Rename');
  await other.page.getByRole('textbox', { name: 'Title' }).fill('Renamed elsewhere');
  await other.page.keyboard.press('Enter');
  await one.page.getByRole('heading', { name: 'Renamed elsewhere', level: 1 }).waitFor();
  await other.choose(other.entries.first(), 'Delete');
  await one.entries.first().waitFor({ state: 'detached' });
  assert.deepEqual([...one.faults, ...other.faults], []);
  await one.close();
  await other.close();
});

test('an unread reply is marked in the list, until it is opened', async () => {
  const [one, other] = [await site.tab(), await site.tab()];
  await one.send(`Unread ${'word '.repeat(20)}`);
  await one.replies.first().waitFor();
  await one.page.goto(`${site.server.url}/#/`);
  await other.entries.first().getByRole('img', { name: 'unread' }).waitFor();
  await other.entries.first().getByRole('link').click();
  await one.entries.first().getByRole('img', { name: 'unread' }).waitFor({ state: 'detached' });
  await one.close();
  await other.close();
});

test('another user sees nothing of the first one, neither messages nor drafts', async () => {
  const chat = await site.tab();
  await chat.ask('A secret of the developer');
  await chat.field.fill('a secret draft');
  await chat.button('Settings').click();
  await chat.page.getByLabel('User').selectOption('alice');
  await chat.page.getByText('Your conversations will be here.').waitFor();
  await chat.fieldHolds('');
  assert.equal(await chat.page.getByText('secret').count(), 0);
  await chat.ask('Hello from Alice');

  await chat.button('Settings').click();
  await chat.page.getByLabel('User').selectOption('dev');
  await chat.entries.filter({ hasText: 'A secret' }).waitFor();
  assert.equal(await chat.entries.filter({ hasText: 'Alice' }).count(), 0);
  assert.deepEqual(chat.faults, []);
  await chat.close();
});

test('drafts are kept for each conversation, over reloads', async () => {
  const chat = await site.tab();
  await chat.field.fill('a new beginning');
  await chat.page.reload();
  await chat.fieldHolds('a new beginning');
  await chat.ask('Something else');
  await chat.field.fill('half a thought');
  await chat.page.getByRole('link', { name: 'New chat' }).click();
  await chat.fieldHolds('');
  await chat.page.goBack();
  await chat.page.reload();
  await chat.fieldHolds('half a thought');
  await chat.close();
});

test('a draft that was begun before the conversation was stored is kept as well', async () => {
  const chat = await site.tab();
  let store;
  const stored = new Promise((resolve) => (store = resolve));
  await chat.context.route('**/graphql', async (route) => {
    if (route.request().postData()?.includes('sendMessage')) await stored;
    await route.continue();
  });
  await chat.send('The first message');
  await chat.said.filter({ hasText: 'The first message' }).waitFor();
  await chat.field.fill('the next one');
  store();
  await chat.replies.filter({ hasText: 'The first message' }).waitFor();
  await chat.page.reload();
  await chat.fieldHolds('the next one');
  await chat.close();
});

test('what is sent offline is kept over a reload, and goes out once when the connection is back', async () => {
  const chat = await site.tab();
  await chat.ask('Online');
  // The page still loads: what cannot be reached is the API.
  await chat.context.route('**/graphql', (route) => route.abort());
  await chat.page.reload();
  await chat.page.getByText('No connection.').waitFor();
  await chat.send('Sent offline');
  await chat.page.getByText('Waits for the connection').waitFor();
  await chat.page.reload();
  await chat.page.getByText('Waits for the connection').waitFor();
  await chat.context.unroute('**/graphql');
  await chat.page.evaluate(() => dispatchEvent(new Event('online')));
  await chat.replies.filter({ hasText: 'Sent offline' }).waitFor();
  await chat.page.reload();
  await chat.replies.filter({ hasText: 'Sent offline' }).waitFor();
  assert.equal(await chat.said.filter({ hasText: 'Sent offline' }).count(), 1);
  await chat.close();
});

test('a page that begins without a connection says so, and loads when there is one', async () => {
  const id = await site.say('Already there');
  const chat = await site.tab('graphiql');
  await chat.context.route('**/graphql', (route) => route.abort());
  await chat.page.goto(`${site.server.url}/#/c/${id}`);
  await chat.page.getByText('No connection.').waitFor();
  await chat.page.getByRole('region', { name: 'Messages' }).getByText('This is loaded when there is a connection.').waitFor();
  await chat.page.getByRole('navigation', { name: 'Conversations' }).getByText('This is loaded when there is a connection.').waitFor();
  assert.equal(await chat.page.getByText('Loading').count(), 0);
  await chat.context.unroute('**/graphql');
  await chat.page.evaluate(() => dispatchEvent(new Event('online')));
  await chat.said.filter({ hasText: 'Already there' }).waitFor();
  await chat.entries.filter({ hasText: 'Already there' }).waitFor();
  assert.equal(await chat.page.getByText('This is loaded').count(), 0);
  await chat.close();
});

test('eight tabs of one browser are live at once, with connections left for what they ask', async () => {
  const chat = await site.tab();
  const streams = { streams: 0, sockets: 0 };
  const watch = (page) => {
    page.on('request', (request) => {
      if (request.headers()['accept']?.startsWith('text/event-stream')) streams.streams += 1;
    });
    page.on('websocket', () => (streams.sockets += 1));
  };
  const others = [];
  for (let tab = 0; tab < 7; tab += 1) {
    const page = await chat.context.newPage();
    watch(page);
    await page.goto(site.server.url);
    others.push(page);
  }
  await chat.ask('Heard in all tabs');
  for (const page of others) {
    const entry = page.getByRole('link', { name: 'Heard in all tabs', exact: true });
    await entry.click();
    await page.getByRole('article', { name: 'Assistant' }).filter({ hasText: 'Heard in all tabs' }).waitFor();
  }
  assert.deepEqual(streams, { streams: 1, sockets: 6 });
  assert.deepEqual(chat.faults, []);
  await chat.close();
});

for (const [how, block] of [
  ['refused', (route) => route.abort()],
  // As a proxy does that waits for the end of an answer.
  ['held back', () => {}],
]) {
  test(`where event streams are ${how}, a socket takes their place`, async () => {
    const chat = await site.tab('graphiql');
    await chat.context.route('**/graphql', (route) =>
      route.request().headers()['accept']?.startsWith('text/event-stream') ? block(route) : route.continue());
    const socket = chat.page.waitForEvent('websocket');
    await chat.page.goto(site.server.url);
    await socket;
    const reply = await chat.ask(`By a socket ${'word '.repeat(10)}end`);
    await reply.filter({ hasText: 'word end' }).waitFor();
    await chat.page.getByText('No connection.').waitFor({ state: 'detached' });
    await chat.close();
  });
}

test('a reply survives its server: killed in the middle and started again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causerie-chat-'));
  const database = `sqlite://${join(directory, 'causerie.db')}?mode=rwc`;
  const settings = { CAUSERIE_ECHO_DELAY: '20ms', CAUSERIE_REPLY_LEASE: '2s' };
  let server = await start(process.env.CAUSERIE_BINARY, database, settings);
  const { url } = server;
  const chat = await site.tab();
  await chat.page.goto(url);
  await chat.send(`Unbroken ${'word '.repeat(150)}end`);
  await chat.replies.filter({ hasText: 'word word word' }).waitFor();
  server.child.kill('SIGKILL');
  await server.ended;
  await chat.page.getByText('No connection.').waitFor();
  await chat.send('And this as well');
  server = await start(process.env.CAUSERIE_BINARY, database, { ...settings, CAUSERIE_LISTEN: new URL(url).host });
  await chat.replies.filter({ hasText: 'word end' }).waitFor({ timeout: 30_000 });
  await chat.replies.filter({ hasText: 'And this as well' }).waitFor();
  assert.equal((await chat.replies.first().locator('.markdown').innerText()).match(/word/g).length, 150);
  assert.equal(await chat.said.count(), 2);
  await chat.close();
  await server.stop();
  rmSync(directory, { recursive: true });
});
