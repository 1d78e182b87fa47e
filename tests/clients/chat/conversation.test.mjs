// Writing and reading: from the first visit to versions and ratings.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setUp } from './chat.mjs';

let site, chat;
before(async () => {
  site = await setUp();
});
after(() => site?.close());
beforeEach(async () => {
  chat = await site.tab();
});
afterEach(async () => {
  assert.deepEqual(chat.faults, []);
  await chat.close();
});

test('a first visit leads to a first reply, with its Markdown, code and formulas', async () => {
  const reply = await chat.ask('A **bold** word, `code`, and\n\n```js\nconst one = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$$\\frac{1}{2}$$\n\nThe area is $$\\pi r^2$$ of it.');
  await reply.locator('strong', { hasText: 'bold' }).waitFor();
  await reply.locator('.hljs-keyword', { hasText: 'const' }).waitFor();
  await reply.locator('td', { hasText: '2' }).waitFor();
  await reply.locator('math mfrac').waitFor();
  await reply.locator('p').filter({ hasText: 'The area is' }).locator('math msup').waitFor();
  assert.match(chat.page.url(), /#\/c\/[\da-f-]{36}$/);
  assert.match(await chat.entries.first().innerText(), /^A \*\*bold\*\* word/);
  assert.match(await reply.locator('.took').innerText(), /^echo · \d+ \+ \d+ tokens$/);
});

test('a first visit loads less than 200 kB, and what code and formulas need only when they come', async () => {
  const loaded = async () => {
    const entries = await chat.page.evaluate(() => performance.getEntriesByType('resource').map(({ name, encodedBodySize }) => [name, encodedBodySize]));
    return entries.filter(([name]) => name.includes('/assets/'));
  };
  await chat.ask('Plain');
  const first = await loaded();
  const bytes = first.reduce((sum, [, size]) => sum + size, 0);
  assert.ok(bytes > 50_000 && bytes < 200_000, `${bytes} bytes`);
  await chat.ask('```js\nconst one = 1;\n```\n\n$$x$$');
  await chat.page.locator('.hljs-keyword').first().waitFor();
  await chat.page.locator('math').first().waitFor();
  assert.ok((await loaded()).length > first.length + 1);
});

test('a reply that is written moves nothing that is read already', async () => {
  const { page } = chat;
  const text = '# Title\n\nSome words and $x^2$\n\n- one\n- two\n\n```js\nconst one = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n';
  await chat.send(text.repeat(4));
  await chat.replies.filter({ hasText: 'This' }).waitFor();
  await page.evaluate(() => {
    globalThis.shifts = [];
    const note = (list) => globalThis.shifts.push(...list.getEntries().map(({ value }) => value));
    new PerformanceObserver(note).observe({ type: 'layout-shift' });
  });
  await chat.button('Copy', chat.replies.first()).waitFor();
  await page.locator('.hljs-keyword').nth(3).waitFor();
  const moved = (await page.evaluate(() => globalThis.shifts)).reduce((sum, value) => sum + value, 0);
  // What the field calls good is below 0.1.
  assert.ok(moved < 0.01, `${moved}`);
});

test('a message and the code in it are copied as they were written', async () => {
  const { page } = chat;
  await chat.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  const reply = await chat.ask('Copy **this**\n\n```js\nconst one = 1;\n```');
  await chat.button('Copy code', reply).click();
  await chat.button('Copied', reply).waitFor();
  assert.equal(await copied(), 'const one = 1;');
  await chat.button('Copy', reply).click();
  await chat.button('Copied', reply).last().waitFor();
  assert.match(await copied(), /Copy \*\*this\*\*\n\n```js\nconst one = 1;\n```$/);
});

test('a conversation opens at its first unread message', async () => {
  const { page } = chat;
  const id = await site.say('Read already');
  await page.goto(`${site.server.url}/#/c/${id}`);
  await chat.replies.filter({ hasText: 'Read already' }).waitFor();
  const unread = async () => (await site.run('query ($id: ID!) { conversation(id: $id) { unreadCount } }', { id })).conversation.unreadCount;
  while ((await unread()) > 0);
  await page.getByRole('link', { name: 'New chat' }).click();
  await site.say(`Unread ${'line\n\n'.repeat(40)}`, id);
  await chat.entries.first().getByRole('link').click();
  const divider = page.locator('[data-message]', { has: page.getByText('New', { exact: true }) });
  await divider.filter({ hasText: 'Unread line' }).waitFor();
  // It is higher than the window: its beginning is what is to be read first.
  const { y } = await divider.getByText('New', { exact: true }).boundingBox();
  assert.ok(y > 0 && y < 900, `${y}`);
  await chat.button('Go to the last message').waitFor();
  assert.ok((await unread()) > 0);
  await chat.button('Go to the last message').click();
  while ((await unread()) > 0);
});

test('a reply goes on where it was when the page is loaded again in its middle', async () => {
  await chat.send(`Again and ${'again '.repeat(100)}end`);
  await chat.replies.filter({ hasText: 'again again again' }).waitFor();
  await chat.page.reload();
  await chat.replies.filter({ hasText: 'again again again' }).waitFor();
  await chat.button('Stop').waitFor();
  await chat.replies.locator('.markdown').filter({ hasText: /again end$/ }).waitFor();
  assert.equal((await chat.replies.locator('.markdown').innerText()).match(/again/g).length, 100);
});

test('stopping keeps what was written, and trying again begins anew', async () => {
  await chat.send(`Long ${'and longer '.repeat(200)}`);
  await chat.replies.filter({ hasText: 'and longer and longer' }).waitFor();
  await chat.field.press('Escape');
  await chat.replies.getByText('Stopped').waitFor();
  const text = await chat.replies.locator('.markdown').innerText();
  assert.match(text, /and longer/);
  assert.ok(text.length < 2000, `${text.length}`);
  await chat.button('Try again').click();
  await chat.button('Stop').click();
  await chat.replies.getByText('Stopped').waitFor();
});

test('who scrolls up a little while a reply is written is not pulled back to its end', async () => {
  const { page } = chat;
  // Higher than the window, and then slowly higher, so that the wheel is heard of before there is more.
  await chat.send(`Scrolled ${'line\n\n'.repeat(40)}${'word '.repeat(300)}end`);
  await chat.replies.filter({ hasText: 'word word word' }).waitFor();
  const box = page.getByRole('region', { name: 'Messages' });
  await box.hover();
  await page.mouse.wheel(0, -12);
  await page.waitForFunction(() => {
    const it = document.querySelector('.viewport');
    return it.scrollHeight - it.scrollTop - it.clientHeight > 80;
  });
  await chat.button('Go to the last message').click();
  await chat.isAtEnd();
});

test('a page that nobody scrolls stays at its end, however it grows', async () => {
  const { page } = chat;
  await page.setViewportSize({ width: 360, height: 500 });
  await chat.ask(`Higher than the window ${'line\n\n'.repeat(20)}`);
  // Between the scrolling to an end and the event that tells of it, as words may come at any moment.
  await page.evaluate(async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const more = document.createElement('div');
      more.style.height = '300px';
      document.querySelector('.messages').append(more);
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    }
  });
  await chat.isAtEnd();
  assert.equal(await chat.button('Go to the last message').count(), 0);
});

test('a second message waits for its turn, and both are answered', async () => {
  await chat.send(`First ${'word '.repeat(150)}`);
  await chat.replies.first().waitFor();
  await chat.send('Second');
  await chat.replies.getByText('Waits for its turn').waitFor();
  await chat.button('Copy', chat.replies.nth(1)).waitFor();
  assert.match(await chat.replies.nth(0).innerText(), /First word/);
  assert.match(await chat.replies.nth(1).innerText(), /Second/);
});

test('an edited message and a regenerated reply are versions, between which the arrows go', async () => {
  await chat.ask('Before');
  await chat.said.first().hover();
  await chat.button('Edit message', chat.said.first()).click();
  await chat.page.getByRole('textbox', { name: 'Edit message' }).fill('After');
  await chat.button('Save and send').click();
  await chat.said.filter({ hasText: 'After' }).getByText('2 / 2').waitFor();
  await chat.replies.filter({ hasText: 'After' }).waitFor();

  await chat.button('Previous version').click();
  await chat.said.filter({ hasText: 'Before' }).getByText('1 / 2').waitFor();
  await chat.replies.filter({ hasText: 'Before' }).waitFor();
  assert.equal(await chat.replies.count(), 1);

  await chat.button('Regenerate').click();
  await chat.replies.getByText('2 / 2').waitFor();
});

test('rating shows, is taken back by the same button, and outlives a reload', async () => {
  await chat.ask('Rate me');
  await chat.button('Good reply').click();
  const pressed = chat.page.getByRole('button', { name: 'Good reply', pressed: true });
  await pressed.waitFor();
  await chat.page.reload();
  await pressed.click();
  await chat.page.getByRole('button', { name: 'Good reply', pressed: false }).waitFor();
});

test('a conversation goes on in a new one from any reply', async () => {
  await chat.ask('One');
  await chat.ask('Two');
  const url = chat.page.url();
  await chat.replies.first().hover();
  await chat.button('Continue in a new chat', chat.replies.first()).click();
  await chat.page.waitForURL((it) => it.href !== url);
  await chat.said.filter({ hasText: 'Two' }).waitFor({ state: 'detached' });
  await chat.said.filter({ hasText: 'One' }).waitFor();
  assert.equal(await chat.said.count(), 1);
});

test('reasoning is folded away, a failure says why and can be tried again, and a tool call is shown', async () => {
  const thought = await chat.ask('/reason');
  await thought.locator('summary', { hasText: 'Thought' }).waitFor();
  const failed = await chat.ask('/fail');
  await failed.getByText('The assistant cannot be reached at the moment.').waitFor();
  // It may begin and end before it is looked at; the attempt that failed again takes its place.
  await chat.button('Try again').last().click();
  await failed.getByText('Try again').waitFor();
  // Echo does so for a message alone, and what failed is not an answer to the one before.
  await chat.page.getByRole('link', { name: 'New chat' }).click();
  const called = await chat.ask('/tool');
  await called.locator('summary', { hasText: 'Called echo' }).waitFor();
});

test('Enter sends, Shift Enter and composing do not', async () => {
  await chat.field.fill('one');
  await chat.field.press('Shift+Enter');
  await chat.field.pressSequentially('two');
  await chat.field.dispatchEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true });
  assert.equal(await chat.field.inputValue(), 'one\ntwo');
  await chat.field.press('Enter');
  await chat.said.filter({ hasText: 'two' }).waitFor();
});
