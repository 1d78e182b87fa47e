// The core of the page in Firefox, as Debian has it.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setUp } from './chat.mjs';
import { launchFirefox } from './firefox.mjs';

/** What WebDriver calls the Enter key. */
const ENTER = '\uE007';

let site, tab;
before(async () => {
  site = await setUp({}, { browse: launchFirefox });
});
after(() => site?.close());
beforeEach(async () => {
  tab = await site.browser.open(site.server.url);
  await tab.until(() => document.activeElement?.getAttribute('aria-label') === 'Message');
});
afterEach(async () => {
  assert.deepEqual(tab.faults, []);
  await tab.close();
});

/** Waits until the text of what a selector finds last matches. */
function seen(selector, pattern, within = tab) {
  const find = (it, source) => new RegExp(source, 's').test([...document.querySelectorAll(it)].at(-1)?.textContent ?? '');
  return within.until(find, selector, pattern.source);
}

test('a first visit leads to a first reply, with its code and formulas', async () => {
  await tab.type(`A **bold** word${ENTER}`);
  await seen('.reply strong', /bold/);
  await seen('.took', /echo · \d+ \+ \d+ tokens/);
  assert.match(await tab.evaluate(() => location.hash), /^#\/c\/[\da-f-]{36}$/);
  await tab.type(`$$\\frac{1}{2}$$${ENTER}`);
  await tab.until(() => document.querySelector('.reply math mfrac') !== null);
});

test('a reply goes on where it was when the page is loaded again in its middle', async () => {
  await tab.type(`Begin ${'again '.repeat(60)}end${ENTER}`);
  await seen('.reply .markdown', /again again again/);
  await tab.reload();
  await tab.until(() => document.querySelector('[aria-label="Stop"]') !== null);
  await seen('.reply .markdown', /again end$/);
  const text = await tab.evaluate(() => document.querySelector('.reply .markdown').textContent);
  assert.equal(text.match(/again/g).length, 60);
});

test('stopping keeps what was written', async () => {
  await tab.type(`Long ${'and longer '.repeat(60)}${ENTER}`);
  await seen('.reply .markdown', /and longer and longer/);
  await tab.click('[aria-label="Stop"]');
  await seen('.reply .status', /Stopped/);
  await seen('.reply .markdown', /and longer/);
});

test('an edited message is a version, between which and the first the arrows go', async () => {
  await tab.type(`Before${ENTER}`);
  await seen('.reply.last .took', /echo/);
  await tab.click('[aria-label="Edit message"]');
  await tab.click('textarea[aria-label="Edit message"]');
  await tab.type(` and after${ENTER}`);
  await seen('.reply .markdown', /Before and after$/);
  await seen('.user .versions', /2 \/ 2/);
  await tab.click('.user [aria-label="Previous version"]');
  await seen('.user .versions', /1 \/ 2/);
  await seen('.reply .markdown', /Before$/);
});

test('two tabs show the same at the same time', async () => {
  const other = await site.browser.open(site.server.url);
  await tab.type(`Shared ${'word '.repeat(30)}end${ENTER}`);
  // Until the server has answered, the address has the message's key, which only this tab knows.
  await seen('.reply .markdown', /Shared word/);
  await other.goto(`${site.server.url}/${await tab.evaluate(() => location.hash)}`);
  await seen('.reply .markdown', /word end$/, other);
  assert.deepEqual(other.faults, []);
  await other.close();
});
