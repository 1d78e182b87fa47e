// examples/html, as it is, in a browser.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from '../graphiql/browser.mjs';
import { start } from '../server.mjs';

const { CAUSERIE_BINARY, CAUSERIE_DATABASE } = process.env;
const source = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../../../examples/html/index.html'));
const WORDS = Array.from({ length: 40 }, (_, index) => `word${index}`).join(' ');

let server, site, browser, page;
const faults = [];
before(async () => {
  server = await start(CAUSERIE_BINARY, CAUSERIE_DATABASE || undefined, { CAUSERIE_ECHO_DELAY: '60ms' });
  site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(source));
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  browser = await launch();
  page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('dialog', (dialog) => dialog.accept(dialog.message() === 'The server' ? server.url : server.token));
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
});
after(async () => {
  await browser?.close();
  site?.close();
  await server.stop();
});

async function send(text) {
  await page.getByLabel('Message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}
const shown = (text) => page.locator('article.ASSISTANT').filter({ hasText: text });

test('a chat in one file sends, streams, goes on after a reload, and stops', async () => {
  await send('What about pears?');
  await shown(/You wrote:\s+What about pears\?$/).waitFor();
  await page.locator('nav button', { hasText: 'What about pears?' }).waitFor();

  await send(WORDS);
  await shown('word1').waitFor();
  await page.reload();
  await shown(/word38 word39$/).waitFor();
  assert.equal(await page.locator('article').count(), 4);

  await send(`${WORDS} more`);
  await shown('word1').nth(1).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'Stop' }).waitFor({ state: 'hidden' });
  assert.doesNotMatch(await page.locator('article').last().innerText(), /word39/);

  await page.getByRole('button', { name: 'New chat' }).click();
  await page.locator('article').first().waitFor({ state: 'detached' });
  await send('Something else');
  await shown('Something else').waitFor();
  await page.locator('nav button', { hasText: 'What about pears?' }).click();
  await shown('word1').first().waitFor();
  assert.equal(await page.locator('article').count(), 6);
  assert.deepEqual(faults, []);
});
