// An app in a browser, bundled from its source and served from a port of its own.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));

/** Serves an app of this directory, given as the source of its first module. `alias` leads to further modules. */
export async function serve(contents, alias = {}) {
  const result = await build({
    stdin: { contents, resolveDir: here, loader: 'tsx' },
    alias,
    bundle: true,
    write: false,
    format: 'esm',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  const script = result.outputFiles[0].text;
  const server = createServer((request, response) => {
    if (request.url === '/app.js') return response.setHeader('content-type', 'text/javascript').end(script);
    response.setHeader('content-type', 'text/html; charset=utf-8').end('<!doctype html><div id="app"></div><script type="module" src="/app.js"></script>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** Opens a page, alone in a browser or beside others in a context, and keeps what goes wrong in it. */
export async function openPage(place, url, faults) {
  const context = 'newContext' in place ? await place.newContext() : place;
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => faults.push(error.stack));
  page.on('console', (message) => {
    // What was cut on purpose is no fault of the page.
    if (message.type() === 'error' && !message.text().includes('net::ERR')) faults.push(message.text());
  });
  await page.goto(url);
  return page;
}
