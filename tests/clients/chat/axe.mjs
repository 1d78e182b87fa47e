// What axe-core finds in the page, by the rules of WCAG 2.2 AA and its best practices.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Checks that axe finds nothing in what is shown. */
export async function check(chat, view) {
  // A moment without which transitions of opacity are measured in their middle.
  await chat.page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState === 'finished'));
  await chat.page.evaluate(axe);
  const found = await chat.page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  const problems = found.violations.map(({ id, nodes }) => `${view}: ${id}: ${nodes.map(({ html }) => html).join(' ').slice(0, 400)}`);
  assert.deepEqual(problems, []);
}
