// What axe-core finds in the page, by the rules of WCAG 2.2 AA and its best practices.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const LEVELS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Checks that axe finds nothing in what is shown, light and dark, of which the second differs in nothing but colours. */
export async function check({ page }, view) {
  for (const [colorScheme, runOnly] of [['light', LEVELS], ['dark', ['color-contrast', 'link-in-text-block']]]) {
    await page.emulateMedia({ colorScheme });
    // A moment without which transitions of opacity are measured in their middle.
    await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState === 'finished'));
    if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
    const options = { runOnly, resultTypes: ['violations'], preload: false };
    const found = await page.evaluate((it) => globalThis.axe.run(it), options);
    const problems = found.violations.map(({ id, nodes }) => `${view}, ${colorScheme}: ${id}: ${nodes.map(({ html }) => html).join(' ').slice(0, 400)}`);
    assert.deepEqual(problems, []);
  }
}
