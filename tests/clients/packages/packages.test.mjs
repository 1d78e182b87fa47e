// What npm would publish: types that a strict app takes, a small size, and READMEs whose examples work.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { launch } from '../graphiql/browser.mjs';
import { openPage, serve } from './site.mjs';

const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token } = process.env;
const here = dirname(fileURLToPath(import.meta.url));
const installed = join(here, 'node_modules/@causerie');
const packages = ['client', 'assistant-ui', 'ai-sdk'];

/** The examples of a package's README, each as it is pasted, for this server. */
function examples(name) {
  const readme = readFileSync(join(installed, name, 'README.md'), 'utf8');
  return [...readme.matchAll(/```(tsx?)\n([\s\S]*?)```/g)].map(([, kind, text]) => ({ kind, text: text.replaceAll('http://127.0.0.1:8080', server) }));
}

let directory, browser;
const faults = [];
before(async () => {
  // Within this directory, so that the packages are found.
  directory = mkdtempSync(join(here, '.work-'));
  browser = await launch();
});
after(async () => {
  await browser?.close();
  rmSync(directory, { recursive: true, force: true });
});

test('a strict app takes the types, those of the examples too', () => {
  // By their names, as a pattern leaves out directories that begin with a dot.
  const files = packages.flatMap((name) =>
    examples(name).map(({ kind, text }, index) => {
      writeFileSync(join(directory, `${name}-${index}.${kind}`), text);
      return `${name}-${index}.${kind}`;
    }),
  );
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ extends: '../tsconfig.json', files, include: ['../app'] }));
  try {
    execFileSync(join(here, 'node_modules/.bin/tsc'), ['-p', directory], { encoding: 'utf8', stdio: 'pipe' });
  } catch ({ stdout }) {
    assert.fail(stdout);
  }
});

test('the packages have types, a licence, a README that begins with a short example, and no dependencies', () => {
  for (const name of packages) {
    const about = JSON.parse(readFileSync(join(installed, name, 'package.json'), 'utf8'));
    assert.deepEqual([about.dependencies, about.type, about.license, about.publishConfig.provenance], [undefined, 'module', 'MIT OR Apache-2.0', true]);
    assert.deepEqual(readdirSync(join(installed, name)).sort(), ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'dist', 'package.json']);
    assert.ok(readFileSync(join(installed, name, about.types), 'utf8').length > 0);
    assert.ok(examples(name)[0].text.split('\n').length <= 30, name);
  }
});

test('the client takes less than 5,100 bytes in an app, and less than 9,700 with its replica', async () => {
  // As an app bundles them. Half of the replica's entry alone is the client's.
  for (const [names, limit] of [[['createClient'], 5100], [['createClient', 'createReplica'], 9700]]) {
    const contents = names.map((name) => `export { ${name} } from '@causerie/client${name === 'createReplica' ? '/replica' : ''}';`).join(' ');
    const { outputFiles } = await build({ stdin: { contents, resolveDir: here }, bundle: true, minify: true, format: 'esm', target: 'es2022', write: false });
    const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
    console.log(`${names}: ${size} bytes, gzipped`);
    assert.ok(size <= limit, `${names}: ${size} bytes`);
  }
});

test("the client's first example prints a reply as it is written", async () => {
  const [{ text }] = examples('client');
  const path = join(directory, 'first.mjs');
  // The token comes from nowhere else here.
  writeFileSync(path, text.replace(/token: async .*/, `token: ${JSON.stringify(token)},`));
  const printed = execFileSync(process.execPath, [path], { encoding: 'utf8' });
  assert.match(printed, /GENERATING This is/);
  assert.match(printed, /COMPLETE This is causerie's development assistant. You wrote:\s+How do I bake a tarte Tatin\?/);
  assert.match(printed, /^How do I bake a tarte Tatin\? \d+$/m);
});

test("assistant-ui's example is a chat", async () => {
  const [{ text }] = examples('assistant-ui');
  writeFileSync(join(directory, 'chat.tsx'), text);
  const site = await serve(`import { createRoot } from 'react-dom/client'; import { Chat } from '${directory}/chat.tsx';
    createRoot(document.querySelector('#app')!).render(<Chat token=${JSON.stringify(token)} />);`);
  const page = await openPage(browser, site.url, faults);
  await page.getByLabel('Message').fill('From the README');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText(/You wrote:\s+From the README/).waitFor();
  assert.deepEqual(faults, []);
  site.close();
});

test("the AI SDK's example is a chat", async () => {
  const [{ text }] = examples('ai-sdk');
  writeFileSync(join(directory, 'use-chat.tsx'), text);
  const site = await serve(`import { createRoot } from 'react-dom/client'; import { Chat } from '${directory}/use-chat.tsx';
    sessionStorage.setItem('token', ${JSON.stringify(token)});
    createRoot(document.querySelector('#app')!).render(<Chat id="readme" messages={[]} />);`);
  const page = await openPage(browser, site.url, faults);
  await page.getByLabel('Message').fill('From the other README');
  await page.keyboard.press('Enter');
  await page.getByText(/You wrote:\s+From the other README/).waitFor();
  await page.getByRole('button', { name: 'Again' }).click();
  await page.getByText(/You wrote:\s+From the other README/).waitFor();
  assert.deepEqual(faults, []);
  site.close();
});
