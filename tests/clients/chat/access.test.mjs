// For everybody: checked by axe in both themes, used by keyboard alone, narrow, and from right to left.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check } from './axe.mjs';
import { setUp } from './chat.mjs';

const markdown = '# Title\n\nText, `code`, a [link](https://place.example) and\n\n- [x] done\n\n```js\nconst a = "b"; // c\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted';

const assistants = `
currency = "USD"
default = "fast"
[[assistant]]
id = "fast"
name = "Fast"
url = "echo"
echo_delay = "5ms"
price = { input = 1000.0, output = 2000.0 }
temperature = { minimum = 0.0, maximum = 1.5, default = 0.7 }
max_tokens = { minimum = 100, maximum = 4000 }
reasoning_efforts = ["low", "high"]
[[assistant]]
id = "deep"
name = "Deep"
url = "echo"
[[quota]]
plan = "default"
period = "month"
replies = 1000
[[quota]]
plan = "default"
assistant = "deep"
period = "day"
replies = 1
`;

let site;
before(async () => {
  site = await setUp({}, { assistants });
});
after(() => site?.close());

test('axe finds nothing in any view, light and dark', async () => {
  const chat = await site.tab('', { reducedMotion: 'reduce' });
  const { page } = chat;
  await check(chat, 'welcome');
  const reply = await chat.ask(markdown);
  await reply.locator('.hljs-keyword').waitFor();
  await reply.getByText(/\$/).waitFor();
  await check(chat, 'thread, with costs');
  const reasoned = await chat.ask('/reason');
  await reasoned.locator('summary').click();
  await chat.ask('/fail');
  await check(chat, 'failure and reasoning');
  await chat.said.first().hover();
  await chat.button('Edit message', chat.said.first()).click();
  await check(chat, 'editor');
  await page.keyboard.press('Escape');
  await chat.entries.first().hover();
  await chat.entries.first().getByRole('button', { name: /^More/ }).click();
  await check(chat, 'menu');
  await page.keyboard.press('Escape');
  await page.getByRole('searchbox').fill('title');
  await page.locator('.hit').first().waitFor();
  await check(chat, 'search');
  await page.getByRole('searchbox').fill('');
  await chat.button('Settings').click();
  await page.getByRole('region', { name: 'Usage' }).waitFor();
  await check(chat, 'settings, with instructions and quotas');
  await page.keyboard.press('Escape');
  await chat.button('Chat settings').click();
  await page.getByRole('slider', { name: 'Temperature' }).waitFor();
  await check(chat, 'chat settings, with parameters');
  await page.keyboard.press('Escape');
  await page.getByRole('combobox', { name: 'Assistant' }).selectOption('deep');
  await chat.ask('The last one');
  await page.getByText('You have reached your limit of 1 reply today.').waitFor();
  await check(chat, 'a quota that is used up');
  await chat.send('One too many');
  await page.getByText(/^Not sent:/).waitFor();
  await check(chat, 'a message that was not sent');
  await chat.button('Trash').click();
  await check(chat, 'trash');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await check(chat, 'keys');
  await page.keyboard.press('Escape');
  await chat.context.route('**/graphql', (route) => route.abort());
  await page.reload();
  await page.getByText('No connection.').waitFor();
  await check(chat, 'offline');
  await chat.close();
});

test('everything is done by keyboard alone', async () => {
  const chat = await site.tab();
  const { page } = chat;
  const { keyboard } = page;
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      return element?.getAttribute('aria-label') ?? element?.labels?.[0]?.textContent ?? element?.textContent;
    });
  const tabTo = async (begin) => {
    for (let steps = 0; steps < 60; steps += 1) {
      if (`${await focused()}.`.startsWith(begin)) return;
      await keyboard.press('Tab');
    }
    assert.fail(`no way to ${begin} by keyboard`);
  };
  await chat.field.waitFor();
  await keyboard.type('Written by keyboard');
  await keyboard.press('Enter');
  await chat.button('Copy', chat.replies.first()).waitFor();
  await tabTo('Edit message');
  await keyboard.press('Enter');
  await page.getByRole('textbox', { name: 'Edit message' }).focus();
  await keyboard.type(', and edited');
  await keyboard.press('Enter');
  await chat.said.filter({ hasText: 'and edited' }).waitFor();
  await chat.button('Copy', chat.replies.first()).waitFor();

  const dialog = page.getByRole('dialog');
  await tabTo('Chat settings');
  await keyboard.press('Enter');
  await dialog.waitFor();
  await tabTo('Instructions for this chat');
  await keyboard.type('Be brief.');
  await tabTo('Temperature');
  await keyboard.press('End');
  await tabTo('Reasoning');
  await keyboard.press('h');
  await tabTo('Save');
  await keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await focused(), 'Chat settings', 'the focus is where it was');
  const id = page.url().split('/').at(-1);
  const { conversation } = await site.run('query ($id: ID!) { conversation(id: $id) { instructions parameters { temperature reasoningEffort } } }', { id });
  assert.deepEqual(conversation, { instructions: 'Be brief.', parameters: { temperature: 1.5, reasoningEffort: 'high' } });

  await tabTo('Settings.');
  await keyboard.press('Enter');
  await dialog.waitFor();
  await tabTo('Instructions for all chats');
  await keyboard.type('In verse.');
  await keyboard.press('Tab');
  while ((await site.run('{ viewer { instructions } }')).viewer.instructions !== 'In verse.');
  await tabTo('Close');
  await keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await focused(), 'Settings');

  await tabTo('More');
  await keyboard.press('Enter');
  await keyboard.press('ArrowDown');
  assert.equal(await focused(), 'Rename');
  await keyboard.press('Enter');
  await keyboard.type('Named by keyboard');
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Named by keyboard' }).waitFor();
  await keyboard.press('Control+Shift+o');
  await page.getByText('What would you like to talk about?').waitFor();
  await keyboard.press('Alt+ArrowDown');
  await page.getByRole('heading', { name: 'Named by keyboard' }).waitFor();
  await page.getByRole('region', { name: 'Messages' }).focus();
  await keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.deepEqual(chat.faults, []);
  await chat.close();
});

test('nothing moves for who does not want that', async () => {
  for (const [reducedMotion, isMoving] of [['no-preference', true], ['reduce', false]]) {
    const chat = await site.tab('', { reducedMotion });
    await chat.context.route('**/graphql', (route) => (route.request().postData()?.includes('sendMessage') ? undefined : route.continue()));
    await chat.send('It takes its time');
    await chat.page.locator('.status.delayed').waitFor({ state: 'attached' });
    assert.equal(await chat.page.evaluate(() => document.getAnimations().length > 0), isMoving, reducedMotion);
    await chat.close();
  }
});

test('screen readers are told that a reply begins and ends, not each word', async () => {
  const chat = await site.tab();
  const live = chat.page.locator('[aria-live=polite]');
  await chat.ask('Tell me');
  await live.getByText('The reply is finished').waitFor({ state: 'attached' });
  assert.equal(await chat.page.locator('[aria-live]').count(), 1);
  await chat.close();
});

test('they are told of the end of a reply that was never seen to run', async () => {
  const chat = await site.tab();
  await chat.ask('Before');
  const live = chat.page.locator('[aria-live=polite]');
  await live.getByText('The reply is finished').waitFor({ state: 'attached' });
  // Nothing comes through until the reply has ended: then what has changed meanwhile, and the answer to the message last.
  await chat.page.addInitScript(() => {
    const { fetch } = window;
    const cuts = [];
    const gate = () => {
      let open;
      const passed = new Promise((resolve) => (open = resolve));
      return { passed, open };
    };
    window.hold = () => {
      Object.assign(window, { changes: gate(), answer: gate() });
      for (const cut of cuts) cut();
    };
    window.fetch = async (url, options) => {
      if (options?.body?.includes?.('sendMessage')) return fetch(url, options).finally(() => window.answer?.passed);
      await window.changes?.passed;
      if (!options?.headers?.accept?.startsWith('text/event-stream')) return fetch(url, options);
      const controller = new AbortController();
      cuts.push(() => controller.abort());
      return fetch(url, { ...options, signal: AbortSignal.any([controller.signal, options.signal]) });
    };
  });
  await chat.page.reload();
  await chat.replies.filter({ hasText: 'Before' }).waitFor();
  assert.equal(await live.innerText(), '', 'nothing is said of what was there');
  await chat.page.evaluate(() => window.hold());
  await chat.send('Unseen');
  const query = '{ conversations(first: 1) { nodes { lastMessage { status parent { content } } } } }';
  for (let last; last?.status !== 'COMPLETE' || last.parent.content !== 'Unseen';) last = (await site.run(query)).conversations.nodes[0].lastMessage;
  await chat.page.evaluate(() => window.changes.open());
  await chat.replies.filter({ hasText: 'Unseen' }).waitFor();
  await chat.page.evaluate(() => window.answer.open());
  await live.getByText('The reply is finished').waitFor({ state: 'attached' });
  await chat.close();
});

test('nothing is wider than a window of 360 pixels, and the list covers the thread only while it is open', async () => {
  const chat = await site.tab('', { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true });
  const overflow = () => chat.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await chat.field.fill(`${markdown}\n\n${'unbreakable'.repeat(30)}\n\n\`\`\`\n${'long line '.repeat(30)}\n\`\`\``);
  await chat.button('Send').tap();
  await chat.button('Copy', chat.replies.first()).waitFor();
  assert.equal(await overflow(), 0);
  await chat.button('Show the conversations').tap();
  await chat.entries.first().waitFor();
  assert.equal(await overflow(), 0);
  await chat.entries.first().getByRole('link').tap();
  await chat.entries.first().waitFor({ state: 'detached' });
  await chat.close();
});

test('text from right to left is shown so, within a page that is mirrored too', async () => {
  const chat = await site.tab();
  await chat.page.evaluate(() => (document.documentElement.dir = 'rtl'));
  await chat.ask('مرحبا، كيف حالك؟');
  assert.equal(await chat.said.first().locator('p').first().evaluate((it) => getComputedStyle(it).direction), 'rtl');
  const reply = await chat.ask('/رد\n\n1. واحد\n\n2. اثنان\n\n> اقتباس');
  const sides = await reply.locator('ol, blockquote').evaluateAll((found) => found.map((it) => getComputedStyle(it).direction));
  assert.deepEqual(sides, ['rtl', 'rtl'], 'numbers and marks are on the side where the text begins');
  const [list, thread] = await Promise.all(['.sidebar', 'main'].map((it) => chat.page.locator(it).boundingBox()));
  assert.ok(list.x > thread.x, 'the list is on the right');
  assert.equal(await chat.page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
  await chat.close();
});

test('the page speaks German to who prefers it, and English when it is chosen', async () => {
  const chat = await site.tab('', { locale: 'de-CH' });
  await chat.page.getByText('Worüber möchten Sie sprechen?').waitFor();
  await chat.button('Einstellungen').click();
  await chat.page.getByLabel('Sprache').selectOption('en');
  await chat.page.getByText('What would you like to talk about?').waitFor();
  assert.equal(await chat.page.evaluate(() => document.documentElement.lang), 'en');
  await chat.close();
});
