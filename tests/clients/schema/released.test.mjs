// No change breaks what was released: the schema is compared with schema.released.graphql, by graphql-inspector's rules.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const current = readFileSync(join(root, 'schema.graphql'), 'utf8');
const released = join(root, 'schema.released.graphql');

/** What of the changes from one schema to another breaks clients. */
async function breaks(from, to) {
  const changes = await diff(buildSchema(from), buildSchema(to));
  const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
  return breaking.map(({ message }) => message);
}

/** The schema with `part` replaced, which must be there. */
function changed(part, other) {
  assert.ok(current.includes(part), part);
  return current.replace(part, other);
}

const missing = !existsSync(released) && 'nothing is released yet: make release-schema writes what is to be kept';

test('nothing that was released is broken', { skip: missing }, async () => {
  const found = await breaks(readFileSync(released, 'utf8'), current);
  assert.deepEqual(found, [], 'docs/evolution.md says what a minor version may do');
});

test('what adds to the schema breaks nothing', async () => {
  for (const added of [
    `${current}\ntype Added { text: String! }`,
    changed('type Viewer {', 'type Viewer {\n  added: String!'),
    changed('input SendMessageInput {', 'input SendMessageInput {\n  added: String'),
    changed('enum MessageStatus {', 'enum MessageStatus {\n  ADDED'),
    changed('union MessagePart =', 'type Added { text: String! }\nunion MessagePart = Added |'),
  ]) {
    assert.deepEqual(await breaks(current, added), []);
  }
});

test('what takes away from the schema, or demands more, breaks it', async () => {
  const addition = (to) => breaks(current, to);
  const removal = (from) => breaks(from, current);
  const count = async (found) => assert.equal((await found).length, 1, JSON.stringify(await found));
  await count(removal(changed('type Viewer {', 'type Viewer {\n  removed: String!')));
  await count(removal(changed('type Viewer {', 'type Viewer {\n  removed: String! @deprecated(reason: "gone")')));
  await count(removal(changed('input SendMessageInput {', 'input SendMessageInput {\n  removed: String')));
  await count(removal(changed('enum MessageStatus {', 'enum MessageStatus {\n  REMOVED')));
  await count(addition(changed('input SendMessageInput {', 'input SendMessageInput {\n  demanded: String!')));
});
