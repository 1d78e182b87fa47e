// examples/nextjs, with the packages from their tarballs: a real Better Auth issues the tokens.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from '../graphiql/browser.mjs';
import { start } from '../server.mjs';

const { CAUSERIE_BINARY, CAUSERIE_DATABASE } = process.env;
const directory = join(dirname(fileURLToPath(import.meta.url)), '../../../examples/nextjs');

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

let server, app, browser, url;
let printed = '';
before(async () => {
  url = `http://localhost:${await freePort()}`;
  // As the example's README says.
  const flags = ['--auth-jwks-url', `${url}/api/auth/jwks`, '--auth-issuer', url, '--auth-audience', url, '--cors-origin', url];
  server = await start(CAUSERIE_BINARY, CAUSERIE_DATABASE || undefined, {}, flags);
  // A process group of its own, as the command starts further processes.
  app = spawn('node_modules/.bin/next', ['dev', '--port', new URL(url).port], {
    cwd: directory,
    detached: true,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NEXT_TELEMETRY_DISABLED: '1', BETTER_AUTH_TELEMETRY: '0', BETTER_AUTH_URL: url, NEXT_PUBLIC_CAUSERIE_URL: `${server.url}/graphql` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  process.once('exit', end);
  for (const stream of [app.stdout, app.stderr]) stream.setEncoding('utf8').on('data', (text) => (printed += text));
  browser = await launch();
});
after(async () => {
  await browser?.close();
  end();
  await server?.stop();
});

function end() {
  try {
    process.kill(-app.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

async function open() {
  const page = await (await browser.newContext()).newPage();
  // The app is compiled when it is first asked for.
  page.setDefaultTimeout(120_000);
  await page.goto(url);
  return page;
}

async function signUp(page, email) {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByLabel('Message').waitFor();
}

test('a user signs up and chats, and another one sees nothing of it', { timeout: 300_000 }, async () => {
  for (;;) {
    if (await fetch(url).then(({ ok }) => ok, () => false)) break;
    assert.equal(app.exitCode, null, printed);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const page = await open();
  await signUp(page, 'ann@example.com');
  await page.getByLabel('Message').fill('How do I bake a tarte Tatin?');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.assistant', { hasText: /You wrote:\s+How do I bake a tarte Tatin\?/ }).waitFor();
  await page.locator('.thread', { hasText: 'How do I bake a tarte Tatin?' }).waitFor();
  await page.reload();
  await page.locator('.thread', { hasText: 'How do I bake a tarte Tatin?' }).getByRole('button').first().click();
  await page.locator('.assistant', { hasText: 'How do I bake a tarte Tatin?' }).waitFor();

  await page.getByRole('button', { name: 'Sign out' }).click();
  await signUp(page, 'ben@example.com');
  await page.getByLabel('Message').fill('Hello from Ben');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.thread', { hasText: 'Hello from Ben' }).waitFor();
  assert.equal(await page.locator('.thread').count(), 1);
});
