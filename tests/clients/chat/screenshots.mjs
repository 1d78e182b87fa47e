// Pictures of every view of the page, to be looked at: node screenshots.mjs --binary PATH [--record] DIRECTORY
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startProvider } from './provider.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { binary: { type: 'string' }, record: { type: 'boolean', default: false } },
});
process.env.CAUSERIE_BINARY = resolve(values.binary);
const { setUp } = await import('./chat.mjs');
const directory = resolve(positionals[0] ?? 'screenshots');
const images = fileURLToPath(new URL('../../../docs/images', import.meta.url));
mkdirSync(directory, { recursive: true });

const CRUST = 'How do I make the crust of a tarte Tatin?';
const LONG = 'Tell me about leases in distributed systems';
const answers = {
  [CRUST]: {
    reasoning: 'They ask for the crust only. A ratio is easier to remember than a recipe.',
    text: `A good crust needs **cold butter** and little water. For one tart of 24 cm:

| ingredient | amount |
|---|--:|
| flour | 200 g |
| butter, cold | 100 g |
| water | 40 ml |

The ratio is $f : b : w = 5 : 2.5 : 1$, so for any weight of flour $f$:

$$b = \\frac{f}{2}, \\qquad w = \\frac{f}{5}$$

\`\`\`python
def crust(flour: float) -> dict:
    """Amounts in grams for a given weight of flour."""
    return {"flour": flour, "butter": flour / 2, "water": flour / 5}
\`\`\`

Let the dough rest for an hour, then bake it *over* the caramelised apples.`,
  },
  [LONG]: {
    text: `# Leases\n\nA lease is a right that ends by itself. ${'Its holder extends it as long as it lives; when it dies, somebody else may take over. '.repeat(20)}`,
    pause: 60,
  },
  'مرحبا، كيف حالك؟': { text: 'أنا بخير، شكرًا لك! **كيف يمكنني مساعدتك اليوم؟**\n\n1. كتابة نص\n2. شرح فكرة' },
};
for (const title of ['Plan a weekend in Lyon by train', 'Names for a small bakery', 'Translate the menu into German', 'Why does my test only fail on Fridays?', 'Explain leases to a new colleague']) {
  answers[title] = { text: `There is much to say about it. ${title.split(' ').at(-1)} first.` };
}

const provider = await startProvider(answers);
const assistants = `
currency = "USD"
default = "fast"
[[assistant]]
id = "fast"
name = "Fast"
description = "Quick answers to everyday questions."
url = "${provider.url}"
model = "model-1"
temperature = { minimum = 0.0, maximum = 1.5, default = 0.7 }
top_p = { minimum = 0.1, maximum = 1.0 }
max_tokens = { minimum = 100, maximum = 4000 }
reasoning_efforts = ["low", "high"]
price = { input = 0.25, output = 2.0 }
[[assistant]]
id = "deep"
name = "Deep"
url = "${provider.url}"
model = "model-1"
[[quota]]
plan = "default"
assistant = "fast"
period = "day"
replies = 30
[[quota]]
plan = "default"
assistant = "deep"
period = "day"
replies = 5
[[quota]]
plan = "default"
period = "month"
tokens = 200000
`;
const site = await setUp({}, { assistants });

const wide = { viewport: { width: 1200, height: 780 } };
const narrow = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const looks = [
  ['light', wide],
  ['dark', { ...wide, colorScheme: 'dark' }],
  ['narrow', narrow],
  ['narrow-dark', { ...narrow, colorScheme: 'dark' }],
  ['rtl', wide],
];

/** One look of the page, view by view. */
async function take(look, options) {
  const chat = await site.tab('', { reducedMotion: 'reduce', ...options });
  const { page } = chat;
  const isNarrow = look.startsWith('narrow');
  const shoot = async (view, record) => {
    // Until nothing moves, notices have their place, and fonts are there.
    await page.evaluate(() => document.fonts.ready);
    await page.mouse.move(0, 0);
    await page.screenshot({ path: join(directory, `${look}-${view}.png`) });
    if (values.record && record) await page.screenshot({ path: join(images, record) });
  };
  const openList = () => (isNarrow ? chat.button('Show the conversations').click() : undefined);
  const send = async (text) => {
    await chat.field.fill(text);
    await chat.button('Send').click();
  };
  const begin = async () => page.goto(`${site.server.url}/#/`);
  if (look === 'rtl') await page.evaluate(() => (document.documentElement.dir = 'rtl'));
  await chat.field.waitFor();
  await shoot('welcome');
  if (look === 'light') {
    await chat.entries.filter({ hasText: 'Explain leases' }).waitFor();
    await chat.choose(chat.entries.filter({ hasText: 'Explain leases' }), 'Pin');
  }

  const entry = page.getByRole('link', { name: CRUST });
  await openList();
  if (look === 'light') await send(CRUST);
  else await entry.first().click();
  await page.locator('.reply math').nth(1).waitFor();
  await page.locator('.hljs-keyword').first().waitFor();
  await page.locator('.took').first().waitFor();
  await page.locator('.viewport').evaluate((it) => it.scrollTo(0, 0));
  await shoot('thread', { light: 'chat.png', dark: 'chat-dark.png', narrow: 'chat-narrow.png' }[look]);
  await page.locator('summary').first().click();
  await shoot('reasoning');
  await page.locator('summary').first().click();
  await chat.button('Chat settings').click();
  await shoot('chat-settings');
  await page.keyboard.press('Escape');

  await begin();
  await send(LONG);
  await page.getByText('when it dies').first().waitFor();
  await shoot('writing');
  await chat.button('Stop').click();
  await page.getByText('Stopped').waitFor();
  await shoot('stopped');
  await send('A question that nobody can answer');
  await page.locator('.status.failed').waitFor({ timeout: 60_000 });
  await shoot('failed');

  await begin();
  await send('مرحبا، كيف حالك؟');
  await chat.button('Copy', chat.replies.first()).waitFor();
  await shoot('arabic');

  await openList();
  await shoot('list');
  if (isNarrow) await page.locator('.shade').click({ position: { x: 340, y: 300 } });
  await openList();
  await page.getByRole('searchbox').fill('crust');
  await page.locator('.hit').first().waitFor();
  await shoot('search');
  await page.getByRole('searchbox').fill('');
  await chat.button('Trash').click();
  await page.getByText('The trash is empty.').waitFor();
  await shoot('empty');
  await chat.button('Chats').click();
  await chat.button('Settings').click();
  await page.getByRole('region', { name: 'Usage' }).waitFor();
  await shoot('settings');
  await page.keyboard.press('Escape');
  if (isNarrow) await page.locator('.shade').click({ position: { x: 340, y: 300 } });
  await page.keyboard.press('?');
  await shoot('keys');
  await page.keyboard.press('Escape');
  await chat.context.route('**/graphql', (route) => route.abort());
  await page.reload();
  await page.getByText('No connection.').waitFor();
  await send('Written offline');
  await page.getByText('Waits for the connection').waitFor();
  await shoot('offline');
  await chat.close();
}

/** The last reply of a quota, and what is refused after it. */
async function takeQuota(look, options) {
  const chat = await site.tab('', { reducedMotion: 'reduce', ...options });
  const { page } = chat;
  await page.getByRole('combobox', { name: 'Assistant' }).selectOption('deep');
  for (const text of Object.keys(answers).slice(3, 8)) await chat.ask(text);
  await chat.send('One more');
  await page.getByText(/^Not sent/).waitFor();
  await page.screenshot({ path: join(directory, `${look}-quota.png`) });
  await chat.close();
}

try {
  for (const title of Object.keys(answers).slice(3)) await site.say(title);
  for (const [look, options] of looks) await take(look, options);
  await takeQuota('light', wide);
} finally {
  await site.close();
  provider.close();
}
console.log(directory);
