// A long conversation: it opens at its end, and is scrolled to its beginning and back without a jump.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setUp } from './chat.mjs';

/** How many messages the conversation has; `CHAT_MESSAGES=10000` for as long as one likes. */
const COUNT = Number(process.env.CHAT_MESSAGES ?? 240);

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

const viewport = () => chat.page.getByRole('region', { name: 'Messages' });
const inPage = () => chat.page.locator('[data-message]').count();

/** Turns the wheel until a message is in sight, and tells by how much any message has jumped meanwhile. */
async function scrollTo(text, by) {
  const wanted = chat.said.filter({ hasText: text });
  let worst = 0;
  for (let turns = 0; turns < COUNT * 4; turns += 1) {
    if ((await wanted.count()) > 0 && (await wanted.first().evaluate((it) => {
      const { top, bottom } = it.getBoundingClientRect();
      return bottom > 60 && top < innerHeight - 100;
    }))) return worst;
    const jump = await viewport().evaluate(async (box, distance) => {
      const places = () => new Map([...box.querySelectorAll('[data-message]')].map((it) => [it.dataset.message, it.getBoundingClientRect().top]));
      const [before, from] = [places(), box.scrollTop];
      const room = box.scrollHeight - box.clientHeight;
      box.scrollBy(0, distance);
      const moved = Math.max(0, Math.min(room, from + distance)) - from;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const jumps = [...places()].filter(([key]) => before.has(key)).map(([key, top]) => Math.abs(top - (before.get(key) - moved)));
      return Math.max(0, ...jumps);
    }, by);
    worst = Math.max(worst, jump);
    if (await chat.page.getByText('Loading').count()) await chat.page.getByText('Loading').waitFor({ state: 'detached' });
  }
  assert.fail(`${text} was not reached`);
}

test('it opens at its end', async () => {
  await chat.said.filter({ hasText: `Message ${COUNT / 2}:` }).waitFor();
  const below = await viewport().evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  assert.ok(below < 2, `${below} pixels below`);
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

test('an address with a message leads to it', async () => {
  const { search } = await site.run('{ search(query: "\\"message 7\\"", first: 1, filter: { role: USER }) { nodes { message { id } } } }');
  const message = search.nodes[0].message.id;
  await chat.page.goto(`${site.server.url}/#/c/${id}/m/${message}`);
  await chat.page.locator('.sought', { hasText: 'Message 7:' }).waitFor();
  const box = await chat.page.locator('.sought').boundingBox();
  assert.ok(box.y > 0 && box.y < 900, `${box.y}`);
});
