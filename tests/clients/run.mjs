// Runs the client suites against the real server: node run.mjs [--binary PATH] [SUITE...]
//
// A suite is a directory here; its files end in .test.mjs, use node:test, and find the server in CAUSERIE_URL
// and a token for it in CAUSERIE_TOKEN. If both are set already, that server is used and none is started. Otherwise
// some suites run a second time, on the database that TEST_POSTGRES_URL leads to.
import { readdirSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
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

/** Suites that are told of what is stored: they run on PostgreSQL as well. */
const onBoth = ['flow', 'graphql-sse', 'graphql-ws', 'libraries', 'packages'];

/**
 * Suites whose files do not meet, as each has servers or users of its own, or needs none. They mostly wait, for browsers
 * and for words: two at a time take little more than half as long.
 */
const apart = ['chat', 'examples', 'graphiql', 'packages', 'readme', 'schema'];

const counts = { passed: 0, failed: 0, skipped: 0 };

/** What failed and why: told last, below all that the servers print. */
const failures = [];

/** What is skipped in CI has failed. */
function skip(number) {
  counts[process.env.CI ? 'failed' : 'skipped'] += number;
}

const suiteOf = (file) => basename(dirname(file));

/** Runs the files, those first that share the server. */
async function test(files) {
  const isApart = (file) => apart.includes(suiteOf(file));
  await testTogether(files.filter((file) => !isApart(file)), 1);
  await testTogether(files.filter(isApart), 2);
}

/** Runs so many of the files at a time, and counts their tests. */
async function testTogether(files, concurrency) {
  if (files.length === 0) return;
  const events = run({ files, concurrency, timeout: 600_000 });
  events.on('test:pass', ({ skip: skipped, todo, details }) => {
    if (details?.type === 'suite') return;
    if (skipped === undefined && todo === undefined) counts.passed += 1;
    else skip(1);
  });
  events.on('test:fail', ({ name, file, details }) => {
    if (details?.type === 'suite') return;
    counts.failed += 1;
    const cause = details?.error?.cause ?? details?.error;
    failures.push(`${relative(root, file ?? '')}: ${name}\n${cause?.stack ?? cause}`.split('\n').slice(0, 30).join('\n  '));
  });
  const report = events.compose(new spec());
  for await (const text of report) process.stdout.write(text);
}

/** Runs the files against a server of their own on `database`, or else on an SQLite file. */
async function testServer(files, database) {
  console.log(`on ${database ? 'PostgreSQL' : 'SQLite'}`);
  const before = counts.failed;
  const server = await start(resolve(values.binary), database);
  Object.assign(process.env, {
    CAUSERIE_URL: server.url,
    CAUSERIE_TOKEN: server.token,
    // For suites that start another server.
    CAUSERIE_BINARY: resolve(values.binary),
    CAUSERIE_DATABASE: database ?? '',
  });
  await test(files);
  const end = await server.stop();
  if (end !== 0) {
    counts.failed += 1;
    console.log(`the server ended with ${end} when it was asked to stop`);
  }
  if (counts.failed > before) console.log(`the server printed:\n${server.output}`);
}

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) process.once(signal, () => process.exit(code));

if (process.env.CAUSERIE_URL && process.env.CAUSERIE_TOKEN) {
  await test(files);
} else {
  await testServer(files);
  const again = files.filter((file) => onBoth.includes(suiteOf(file)));
  const database = process.env.TEST_POSTGRES_URL;
  if (again.length > 0 && database) await testServer(again, database);
  else if (again.length > 0) {
    skip(again.length);
    console.log('skipped on PostgreSQL: TEST_POSTGRES_URL is not set; scripts/with-postgres sets it');
  }
}
for (const failure of failures) console.log(`failed: ${failure}`);
if (counts.skipped > 0) console.log(`${counts.skipped} skipped`);
console.log(`clients: ${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
