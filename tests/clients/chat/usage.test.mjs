// What replies take and cost, and what is left of a quota.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check } from './axe.mjs';
import { setUp } from './chat.mjs';

const assistants = `
default = "fast"
currency = "USD"
[[assistant]]
id = "fast"
name = "Fast"
url = "echo"
price = { input = 1000.0, output = 2000.0 }
[[assistant]]
id = "deep"
name = "Deep"
url = "echo"
[[quota]]
plan = "default"
assistant = "fast"
period = "day"
replies = 5
[[quota]]
plan = "default"
period = "month"
tokens = 1000000
`;

let site;
before(async () => {
  site = await setUp({}, { assistants });
});
after(() => site?.close());

test('a reply says who wrote it, what it took and what it cost; the settings say what is left, until nothing is', async () => {
  const chat = await site.tab();
  const { page } = chat;
  const usage = page.getByRole('region', { name: 'Usage' });
  const settings = async (shown) => {
    await chat.button('Settings').click();
    await usage.getByText(shown).waitFor();
    await check(chat, 'quotas');
    await page.keyboard.press('Escape');
  };
  const reply = await chat.ask('What does it cost?');
  assert.match(await reply.locator('.took').innerText(), /^Fast · (≈ )?\d+ \+ \d+ tokens · \$0\.\d+$/);
  await settings('1 of 5 replies');
  assert.equal(await page.getByText('left today').count(), 0, 'nothing is said while there is enough');
  for (const text of ['Two', 'Three', 'Four']) await chat.ask(text);
  await page.getByText('1 of 5 replies left today').waitFor();
  await chat.ask('Five');
  await page.getByText('You have reached your limit of 5 replies today.').waitFor();
  await settings('5 of 5 replies');

  await chat.send('Six');
  await page.getByText(/^Not sent: You have reached your limit of 5 replies today\. Next reset: .+\./).waitFor();
  assert.equal(await chat.field.inputValue(), '');
  // The other assistant is not limited: what was not sent goes to it.
  await page.getByRole('combobox', { name: 'Assistant' }).selectOption('deep');
  await page.getByText('You have reached your limit of 5 replies today.').nth(1).waitFor({ state: 'detached' });
  await chat.button('Try again').click();
  await chat.replies.filter({ hasText: 'Six' }).waitFor();
  assert.deepEqual(chat.faults, []);
  await chat.close();
});
