// The README's first page, pasted as it is into a page that another port serves.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from '../graphiql/browser.mjs';

const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token } = process.env;
const readme = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../../../README.md'), 'utf8');

/** The page with what a reader puts into it: the token, and here the port of the server too. */
function firstPage() {
  let page = /```html\n([\s\S]*?)```/.exec(readme)[1];
  for (const [part, own] of [['PASTE THE TOKEN HERE', token], ['http://127.0.0.1:8080', server]]) {
    assert.ok(page.includes(part), part);
    page = page.replace(part, own);
  }
  return page;
}

let browser, site, port;
before(async () => {
  browser = await launch();
  site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(firstPage()));
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  ({ port } = site.address());
});
after(async () => {
  await browser?.close();
  site?.close();
});

for (const host of ['127.0.0.1', 'localhost']) {
  test(`the first page shows a reply, served from another port of ${host}`, async () => {
    const page = await browser.newPage();
    const faults = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(`http://${host}:${port}/`);
    for (const text of ['How do I bake a tarte Tatin?', 'And with pears?']) {
      await page.fill('input', text);
      await page.click('button');
      const shown = page.locator('p').filter({ hasText: text });
      await shown.waitFor({ timeout: 20_000 });
      assert.match(await shown.innerText(), /You wrote:\s+/);
    }
    assert.deepEqual(faults, []);
    await page.close();
  });
}
