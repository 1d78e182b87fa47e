// Runs the client suites against the real server: node run.mjs [--binary PATH] [SUITE...]
//
// A suite is a directory here; its files end in .test.mjs, use node:test, and find the server in CAUSERIE_URL
// and a token for it in CAUSERIE_TOKEN. If both are set already, that server is used and none is started.
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { start } from './server.mjs';

const root = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { binary: { type: 'string', default: join(root, '../../target/debug/causerie') } },
});

const suites = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
  .map(({ name }) => name)
  .filter((name) => positionals.length === 0 || positionals.includes(name));
const unknown = positionals.filter((name) => !suites.includes(name));
const files = suites.sort().flatMap((suite) =>
  readdirSync(join(root, suite))
    .filter((file) => file.endsWith('.test.mjs'))
    .map((file) => join(root, suite, file)),
);
if (unknown.length > 0 || files.length === 0) throw new Error(`no such suite: ${unknown.join(', ') || root}`);

/** Runs the files one after another and counts their tests. What is skipped in CI has failed. */
async function test() {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const events = run({ files, concurrency: 1, timeout: 600_000 });
  events.on('test:pass', ({ skip, todo, details }) => {
    if (details?.type === 'suite') return;
    if (skip === undefined && todo === undefined) counts.passed += 1;
    else counts[process.env.CI ? 'failed' : 'skipped'] += 1;
  });
  events.on('test:fail', ({ details }) => {
    if (details?.type !== 'suite') counts.failed += 1;
  });
  const report = events.compose(new spec());
  for await (const text of report) process.stdout.write(text);
  return counts;
}

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) process.once(signal, () => process.exit(code));

const given = process.env.CAUSERIE_URL && process.env.CAUSERIE_TOKEN;
const server = given ? undefined : await start(resolve(values.binary));
if (server) Object.assign(process.env, { CAUSERIE_URL: server.url, CAUSERIE_TOKEN: server.token });
const counts = await test();
if (server) {
  const end = await server.stop();
  if (end !== 0) {
    counts.failed += 1;
    console.log(`the server ended with ${end} when it was asked to stop`);
  }
  if (counts.failed > 0) console.log(`the server printed:\n${server.output}`);
}
if (counts.skipped > 0) console.log(`${counts.skipped} skipped`);
console.log(`clients: ${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
