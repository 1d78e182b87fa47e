// REST as its description says: Schemathesis makes requests from docs/openapi.yaml, good ones and bad ones, and compares
// each answer with it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../..');
const schemathesis = process.env.SCHEMATHESIS ?? join(root, 'target/schemathesis/bin/schemathesis');
const { CAUSERIE_URL: server } = process.env;

let directory;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'causerie-schemathesis-'));
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** Runs Schemathesis on a description, and returns how it ended and what it printed. */
function run(description, ...options) {
  assert.ok(existsSync(schemathesis), `${schemathesis} is not there: make clients installs it`);
  const common = ['--url', server, '--seed', '11', '--no-color', '--report-dir', directory];
  const command = ['--config-file', join(here, 'schemathesis.toml'), 'run', description, ...common, ...options];
  const ended = spawnSync(schemathesis, command, { cwd: directory, encoding: 'utf8', timeout: 120_000 });
  return { status: ended.status, output: `${ended.stdout}\n${ended.stderr}\n${ended.error ?? ''}` };
}

test('the server hands out its description', async () => {
  const response = await fetch(`${server}/api/openapi.yaml`);
  assert.equal(response.headers.get('content-type'), 'application/yaml');
  assert.equal(await response.text(), readFileSync(join(root, 'docs/openapi.yaml'), 'utf8'));
});

test('the server does as its description says', () => {
  const { status, output } = run(join(root, 'docs/openapi.yaml'), '--max-examples', '15', '--continue-on-failure');
  assert.equal(status, 0, output);
  assert.match(output, /Tested: +3\b/, output);
});

test('a description that is not true is found out', () => {
  const text = readFileSync(join(root, 'docs/openapi.yaml'), 'utf8');
  const wrong = join(directory, 'wrong.yaml');
  const changed = text.replace('message_count: { type: integer, minimum: 0 }', 'message_count: { type: string }');
  assert.notEqual(changed, text);
  writeFileSync(wrong, changed);
  const only = ['--include-operation-id', 'listConversations', '--phases', 'coverage', '--max-examples', '1'];
  const { status, output } = run(wrong, ...only);
  assert.equal(status, 1, output);
  assert.match(output, /message_count|Response violates schema/, output);
});
