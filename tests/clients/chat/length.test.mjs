// A long conversation: it opens at its end, and is scrolled to its beginning and back without a jump.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setUp } from './chat.mjs';
import { longConversation, scroll } from './long.mjs';

/** How many messages the conversation has. */
const COUNT = 240;

let site, chat, id;
before(async () => {
  site = await setUp({ CAUSERIE_ECHO_DELAY: '0ms' });
  for (let number = 1; number <= COUNT / 2; number += 1) id = await site.say(`Message ${number}: ${'word '.repeat(number % 40)}`, id);
  chat = await site.tab(`#/c/${id}`);
});
after(async () => {
  await chat?.close();
  await site?.close();
});

const inPage = () => chat.page.locator('[data-message]').count();

/** Scrolls until a message is in the page, and into sight, and tells by how much any message has jumped meanwhile. */
async function scrollTo(text, distance) {
  const { jump } = await chat.page.evaluate(scroll, { text, distance });
  await chat.said.filter({ hasText: text }).first().scrollIntoViewIfNeeded();
  return jump;
}

test('it opens at its end', async () => {
  await chat.said.filter({ hasText: `Message ${COUNT / 2}:` }).waitFor();
  await chat.isAtEnd();
});

test('older messages are loaded while it is scrolled up; nothing jumps, and the page holds a part of it', async () => {
  const up = await scrollTo('Message 1:', -600);
  assert.ok(up < 2, `a jump of ${up} pixels`);
  assert.ok((await inPage()) <= 140, `${await inPage()} messages in the page`);
  const down = await scrollTo(`Message ${COUNT / 2}:`, 600);
  assert.ok(down < 2, `a jump of ${down} pixels`);
  assert.ok((await inPage()) <= 140, `${await inPage()} messages in the page`);
});

test('a new message is added at the end without moving what is read above it', async () => {
  const text = `Message ${COUNT / 2 - 20}:`;
  await scrollTo(text, -600);
  const read = chat.said.filter({ hasText: text });
  const before = await read.boundingBox();
  const other = await site.tab(`#/c/${id}`);
  await other.ask('From elsewhere');
  await other.close();
  assert.ok(Math.abs((await read.boundingBox()).y - before.y) < 2);
  await chat.button('Go to the last message').click();
  await chat.said.filter({ hasText: 'From elsewhere' }).waitFor();
});

test('10,000 messages are scrolled through without a jump, and the page never holds more than a few of them', async () => {
  const { database, id: long, discard } = await longConversation(10_000);
  const other = await setUp({ CAUSERIE_ECHO_DELAY: '0ms' }, { database });
  try {
    const tab = await other.tab(`#/c/${long}`);
    await tab.said.filter({ hasText: 'Message 5000:' }).waitFor();
    const { jump, held } = await tab.page.evaluate(scroll, { text: 'Message 1:', distance: -3000 });
    assert.ok(jump < 2, `a jump of ${jump} pixels`);
    assert.ok(held <= 140, `${held} messages in the page`);
    await tab.button('Go to the last message').click();
    await tab.said.filter({ hasText: 'Message 5000:' }).waitFor();
    const reply = await tab.ask('Still quick?');
    assert.match(await reply.innerText(), /Still quick\?/);
    assert.deepEqual(tab.faults, []);
    await tab.close();
  } finally {
    await other.close();
    discard();
  }
});

test('an address with a message leads to it', async () => {
  const { search } = await site.run('{ search(query: "\\"message 7\\"", first: 1, filter: { role: USER }) { nodes { message { id } } } }');
  const message = search.nodes[0].message.id;
  await chat.page.goto(`${site.server.url}/#/c/${id}/m/${message}`);
  await chat.page.locator('.sought', { hasText: 'Message 7:' }).waitFor();
  const box = await chat.page.locator('.sought').boundingBox();
  assert.ok(box.y > 0 && box.y < 900, `${box.y}`);
});
