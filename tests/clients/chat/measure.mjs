// What the chat page costs a browser, by the browser's own figures: node measure.mjs --binary PATH [--record]
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { binary: { type: 'string' }, record: { type: 'boolean', default: false } } });
process.env.CAUSERIE_BINARY = resolve(values.binary);
const { setUp } = await import('./chat.mjs');
const { longConversation, scroll } = await import('./long.mjs');

const WORDS = 200;
const SECONDS = 10;
const HOUR = 60;
const figures = [];

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const quantile = (numbers, share) => sorted(numbers)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))];
const middle = (numbers) => quantile(numbers, 0.5);

function tell(what, figure) {
  console.log(`${what}: ${figure}`);
  figures.push([what, figure]);
}

/** Chromium's own counters of a page, in seconds, bytes and pieces. */
async function counters(cdp) {
  const { metrics } = await cdp.send('Performance.getMetrics');
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

async function watched(chat) {
  const cdp = await chat.context.newCDPSession(chat.page);
  await cdp.send('Performance.enable');
  return cdp;
}

/** Opens a page that nobody has opened before, with a conversation in it. */
async function cold(site, id, slowdown) {
  const chat = await site.tab('graphiql');
  const cdp = await watched(chat);
  await cdp.send('Network.enable');
  await cdp.send('Network.clearBrowserCache');
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
  await chat.context.addInitScript(() => {
    globalThis.long = [];
    new PerformanceObserver((list) => globalThis.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask', buffered: true });
  });
  await chat.page.goto(`${site.server.url}/#/c/${id}`);
  await chat.replies.first().waitFor();
  const found = await chat.page.evaluate(() => ({
    paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    shown: performance.now(),
    blocked: globalThis.long.reduce((sum, duration) => sum + Math.max(0, duration - 50), 0),
  }));
  await chat.close();
  return found;
}

const { database, id, discard } = await longConversation(10_000);
const site = await setUp({ CAUSERIE_ECHO_DELAY: `${1000 / WORDS}ms`, CAUSERIE_REPLY_TIMEOUT: '5m' }, { database });
try {
  for (const slowdown of [1, 4]) {
    const loads = [];
    for (let turn = 0; turn < 7; turn += 1) loads.push(await cold(site, id, slowdown));
    const of = slowdown === 1 ? '' : `, a processor ${slowdown} times as slow`;
    tell(`first contentful paint of a cold load${of}`, `${middle(loads.map(({ paint }) => paint)).toFixed(0)} ms`);
    tell(`first conversation shown after a cold load${of}`, `${middle(loads.map(({ shown }) => shown)).toFixed(0)} ms`);
    tell(`total blocking time of a cold load${of}`, `${middle(loads.map(({ blocked }) => blocked)).toFixed(0)} ms`);
  }

  const chat = await site.tab();
  const cdp = await watched(chat);
  // As replies are: paragraphs, lists, and code.
  const piece = 'Some **words** of a reply that goes on, with `code` in it.\n\n- an entry\n- another one\n\n```js\nconst one = 1;\n```\n\n';
  await chat.send(piece.repeat(Math.ceil((WORDS * (SECONDS + 5)) / piece.split(/\s+/).length)));
  await chat.replies.filter({ hasText: 'another one' }).waitFor();
  const before = await counters(cdp);
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  const after = await counters(cdp);
  const share = (name) => (((after[name] - before[name]) / (after.Timestamp - before.Timestamp)) * 100).toFixed(0);
  tell(`main thread busy while a reply of ${WORDS} words a second is written`, `${share('TaskDuration')} %, of which scripts ${share('ScriptDuration')} %, styles and layout ${Number(share('LayoutDuration')) + Number(share('RecalcStyleDuration'))} %`);
  await chat.button('Stop').click();
  await chat.close();

  const long = await site.tab(`#/c/${id}`);
  await long.said.filter({ hasText: 'Message 5000:' }).waitFor();
  const { frames } = await long.page.evaluate(scroll, { text: 'Message 4000:', distance: -150 });
  // A frame of 60 a second takes 16.7 ms; one that takes 1.5 times as long was missed.
  const dropped = frames.filter((time) => time > 25).length;
  tell('frames dropped while 2,000 messages are scrolled through', `${dropped} of ${frames.length} (${((dropped / frames.length) * 100).toFixed(1)} %), the longest ${Math.max(...frames).toFixed(0)} ms`);
  await long.close();
} finally {
  await site.close();
}

const quick = await setUp({ CAUSERIE_ECHO_DELAY: '0ms' }, { database });
try {
  const chat = await quick.tab();
  const cdp = await watched(chat);
  // The time from the key to the frame in which the first word is drawn. The assistant takes none of its own.
  await chat.page.evaluate(() => {
    globalThis.delays = [];
    addEventListener('keydown', ({ key }) => key === 'Enter' && (globalThis.pressed = performance.now()), true);
    new MutationObserver(() => {
      const text = [...document.querySelectorAll('.reply.last .markdown')].at(-1)?.textContent ?? '';
      if (globalThis.pressed === undefined || !text.includes(globalThis.awaited)) return;
      const from = globalThis.pressed;
      globalThis.pressed = undefined;
      requestAnimationFrame(() => setTimeout(() => globalThis.delays.push(performance.now() - from)));
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  for (let turn = 0; turn < 200; turn += 1) {
    await chat.page.evaluate((it) => (globalThis.awaited = it), `word-${turn}`);
    await chat.field.fill(`word-${turn}`);
    await chat.field.press('Enter');
    await chat.page.waitForFunction((it) => globalThis.delays.length > it, turn, { polling: 20 });
  }
  const delays = await chat.page.evaluate(() => globalThis.delays);
  tell('from the Enter key to the first word on the screen, p50 and p99', `${middle(delays).toFixed(0)} and ${quantile(delays, 0.99).toFixed(0)} ms`);

  // An hour: each minute a new conversation of three messages, another one opened and scrolled, and a search.
  const use = async (minute) => {
    await chat.page.goto(`${quick.server.url}/#/`);
    for (const text of [`Minute ${minute}`, `${'more words '.repeat(50)}`, '```js\nconst one = 1;\n```']) await chat.ask(text);
    await chat.page.goto(`${quick.server.url}/#/c/${id}`);
    await chat.said.filter({ hasText: 'Message 5000:' }).waitFor();
    await chat.page.evaluate(scroll, { text: 'Message 4950:', distance: -600 });
    await chat.page.getByRole('searchbox').fill(`minute ${minute}`);
    await chat.page.locator('.hit').first().waitFor();
    await chat.page.getByRole('searchbox').fill('');
  };
  const heap = async () => {
    await cdp.send('HeapProfiler.collectGarbage');
    const { JSHeapUsedSize, Nodes } = await counters(cdp);
    return `${(JSHeapUsedSize / 1e6).toFixed(1)} MB and ${Nodes.toLocaleString('en')} nodes`;
  };
  for (let minute = 0; minute < 5; minute += 1) await use(minute);
  const begin = await heap();
  for (let minute = 5; minute < HOUR; minute += 1) await use(minute);
  tell('memory after five minutes, and after an hour, of simulated use', `${begin}, and ${await heap()}`);
  await chat.close();
} finally {
  await quick.close();
  discard();
}

if (values.record) {
  const file = fileURLToPath(new URL('../../../docs/performance.md', import.meta.url));
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const day = new Date().toISOString().slice(0, 10);
  const table = [
    `Measured on ${day}, commit ${commit}, ${cpus().length} processors (${process.arch}), which the browser and the server share.`,
    '', '| what | figure |', '|---|--:|', ...figures.map(([what, figure]) => `| ${what} | ${figure} |`),
  ].join('\n');
  const [begin, end] = ['<!-- `make measure-page ARGS=--record` writes this. -->', '<!-- End of what `make measure-page` writes. -->'];
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.slice(0, text.indexOf(begin) + begin.length) + `\n\n${table}\n\n` + text.slice(text.indexOf(end)));
}
