// For everybody: checked by axe in both themes, used by keyboard alone, narrow, and from right to left.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check } from './axe.mjs';
import { setUp } from './chat.mjs';

const markdown = '# Title\n\nText, `code`, a [link](https://place.example) and\n\n- [x] done\n\n```js\nconst a = "b"; // c\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted';

let site;
before(async () => {
  site = await setUp({ CAUSERIE_ECHO_DELAY: '5ms' });
});
after(() => site?.close());

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing in any view, ${colorScheme}`, async () => {
    const chat = await site.tab('', { colorScheme, reducedMotion: 'reduce' });
    await check(chat, 'welcome');
    const reply = await chat.ask(markdown);
    await reply.locator('.hljs-keyword').waitFor();
    await check(chat, 'thread');
    const reasoned = await chat.ask('/reason');
    await reasoned.locator('summary').click();
    await chat.ask('/fail');
    await check(chat, 'failure and reasoning');
    await chat.said.first().hover();
    await chat.button('Edit message', chat.said.first()).click();
    await check(chat, 'editor');
    await chat.page.keyboard.press('Escape');
    await chat.entries.first().hover();
    await chat.entries.first().getByRole('button', { name: /^More/ }).click();
    await check(chat, 'menu');
    await chat.page.keyboard.press('Escape');
    await chat.page.getByRole('searchbox').fill('title');
    await chat.page.locator('.hit').first().waitFor();
    await check(chat, 'search');
    await chat.page.getByRole('searchbox').fill('');
    await chat.button('Settings').click();
    await check(chat, 'settings');
    await chat.page.keyboard.press('Escape');
    await chat.button('Settings of this chat').click();
    await check(chat, 'settings of this chat');
    await chat.page.keyboard.press('Escape');
    await chat.button('Trash').click();
    await check(chat, 'trash');
    await chat.close();
  });
}

test('everything is done by keyboard alone', async () => {
  const chat = await site.tab();
  const { page } = chat;
  const { keyboard } = page;
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent);
  const tabTo = async (name) => {
    for (let steps = 0; steps < 60; steps += 1) {
      if ((await focused())?.startsWith(name)) return;
      await keyboard.press('Tab');
    }
    assert.fail(`no way to ${name} by keyboard`);
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

test('screen readers are told that a reply begins and ends, not each word', async () => {
  const chat = await site.tab();
  const live = chat.page.locator('[aria-live=polite]');
  await chat.ask('Tell me');
  await live.getByText('The reply is finished').waitFor({ state: 'attached' });
  assert.equal(await chat.page.locator('[aria-live]').count(), 1);
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
