// Several assistants to choose from, and what they are told.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check } from './axe.mjs';
import { setUp } from './chat.mjs';

const assistants = `
default = "fast"
[[assistant]]
id = "fast"
name = "Fast"
url = "echo"
temperature = { minimum = 0.0, maximum = 1.5, default = 0.7 }
max_tokens = { minimum = 100, maximum = 4000 }
reasoning_efforts = ["low", "high"]
[[assistant]]
id = "deep"
name = "Deep"
description = "Thinks longer."
url = "echo"
`;

let site;
before(async () => {
  site = await setUp({}, { assistants });
});
after(() => site?.close());

/** Who wrote the newest reply of the conversation that is shown. */
async function writer(chat) {
  const id = chat.page.url().split('/').at(-1);
  const { conversation } = await site.run('query ($id: ID!) { conversation(id: $id) { lastMessage { assistantId } } }', { id });
  return conversation.lastMessage.assistantId;
}

test('an assistant is chosen for all conversations, and another one for one of them', async () => {
  const [chat, other] = [await site.tab(), await site.tab()];
  const choice = chat.page.getByRole('combobox', { name: 'Assistant' });
  await choice.waitFor();
  assert.equal(await choice.inputValue(), 'fast');
  await chat.ask('Who are you?');
  assert.equal(await writer(chat), 'fast');

  await other.entries.first().getByRole('link').click();
  await choice.selectOption('deep');
  await chat.ask('And now?');
  assert.equal(await writer(chat), 'deep');
  await other.page.waitForFunction(() => document.querySelector('select.assistant').value === 'deep');

  await chat.page.getByRole('link', { name: 'New chat' }).click();
  await chat.page.waitForFunction(() => document.querySelector('select.assistant').value === 'fast');
  await choice.selectOption('deep');
  await chat.ask('Everywhere?');
  assert.equal(await writer(chat), 'deep');
  await chat.page.reload();
  await chat.page.waitForFunction(() => document.querySelector('select.assistant')?.value === 'deep');
  assert.deepEqual(chat.faults, []);
  await chat.close();
  await other.close();
});

test('what assistants should heed is kept', async () => {
  const chat = await site.tab();
  await chat.button('Settings').click();
  const field = chat.page.getByLabel('Instructions for all chats');
  await field.fill('Answer in verse.');
  await chat.page.keyboard.press('Tab');
  await chat.page.getByText('Saved').waitFor();
  assert.equal((await site.run('{ viewer { instructions } }')).viewer.instructions, 'Answer in verse.');
  await chat.page.reload();
  await chat.button('Settings').click();
  await chat.page.waitForFunction(() => document.querySelector('dialog textarea')?.value === 'Answer in verse.');
  await chat.close();
});

test('a chat has parameters within what its assistant permits, and instructions of its own', async () => {
  const chat = await site.tab();
  const { page } = chat;
  await chat.ask('To be set');
  await page.getByRole('combobox', { name: 'Assistant' }).selectOption('fast');
  const id = page.url().split('/').at(-1);
  const stored = async () => (await site.run('query ($id: ID!) { conversation(id: $id) { instructions parameters { temperature topP maxTokens reasoningEffort } } }', { id })).conversation;
  const dialog = page.getByRole('dialog', { name: 'Chat settings' });
  const instructions = dialog.getByLabel('Instructions for this chat');
  const open = async () => {
    await chat.button('Chat settings').click();
    await dialog.waitFor();
  };
  await open();
  await check(chat, 'parameters');
  const temperature = dialog.getByRole('slider', { name: 'Temperature' });
  await temperature.waitFor();
  assert.equal(await temperature.getAttribute('max'), '1.5');
  assert.equal(await dialog.getByRole('slider', { name: 'Top P' }).count(), 0, 'it cannot be set');
  assert.equal(await temperature.getAttribute('aria-valuetext'), 'Default (0.7)');
  await temperature.focus();
  await page.keyboard.press('End');
  await dialog.getByLabel('Reasoning').selectOption('high');
  await instructions.fill('Be brief.');
  await chat.button('Save', dialog).click();
  await dialog.waitFor({ state: 'detached' });
  assert.deepEqual(await stored(), { instructions: 'Be brief.', parameters: { temperature: 1.5, topP: null, maxTokens: null, reasoningEffort: 'high' } });

  await page.reload();
  await chat.replies.first().waitFor();
  await open();
  assert.equal(await temperature.inputValue(), '1.5');
  assert.equal(await instructions.inputValue(), 'Be brief.');
  await dialog.getByRole('button', { name: 'Back to the default: Temperature' }).click();
  await dialog.getByLabel('Reasoning').selectOption('Default');
  await chat.button('Save', dialog).click();
  await dialog.waitFor({ state: 'detached' });
  assert.deepEqual(await stored(), { instructions: 'Be brief.', parameters: null });
  assert.deepEqual(chat.faults, []);
  await chat.close();
});

test('a chat is set before its first message, which heeds it; what was being written is kept', async () => {
  const chat = await site.tab();
  const { page } = chat;
  await page.getByRole('combobox', { name: 'Assistant' }).selectOption('fast');
  await chat.field.fill('The first message');
  const dialog = page.getByRole('dialog', { name: 'Chat settings' });
  const open = async () => {
    await chat.button('Chat settings').click();
    await dialog.waitFor();
  };
  // Nothing is begun where nothing is set.
  await open();
  await chat.button('Save', dialog).click();
  await dialog.waitFor({ state: 'detached' });
  assert.match(page.url(), /#?\/$/);
  await open();
  await dialog.getByRole('slider', { name: 'Temperature' }).focus();
  await page.keyboard.press('End');
  await dialog.getByLabel('Instructions for this chat').fill('Be brief.');
  await chat.button('Save', dialog).click();
  await page.waitForURL(/#\/c\/[\da-f-]{36}$/);
  await chat.fieldHolds('The first message');
  await chat.field.press('Enter');
  await chat.button('Copy', chat.replies.first()).waitFor();
  const id = page.url().split('/').at(-1);
  const { conversation } = await site.run('query ($id: ID!) { conversation(id: $id) { title instructions parameters { temperature } messages { totalCount } } }', { id });
  assert.deepEqual(conversation, { title: 'The first message', instructions: 'Be brief.', parameters: { temperature: 1.5 }, messages: { totalCount: 2 } });
  await page.getByRole('link', { name: 'New chat' }).click();
  await chat.fieldHolds('');
  assert.deepEqual(chat.faults, []);
  await chat.close();
});
