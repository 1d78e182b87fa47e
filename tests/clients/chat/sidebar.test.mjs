// Finding conversations and keeping them in order.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setUp } from './chat.mjs';

let site, chat;
before(async () => {
  site = await setUp({ CAUSERIE_ECHO_DELAY: '0ms' });
});
after(() => site?.close());
beforeEach(async () => {
  chat = await site.tab();
});
afterEach(async () => {
  assert.deepEqual(chat.faults, []);
  await chat.close();
});

async function begin(text) {
  await chat.page.goto(`${site.server.url}/#/`);
  await chat.ask(text);
}

function entry(title) {
  return chat.entries.filter({ hasText: title });
}

test('a conversation is renamed in its place, pinned, and unpinned', async () => {
  await begin('A cake');
  await chat.choose(entry('A cake'), 'Rename');
  const title = chat.page.getByRole('textbox', { name: 'Title' });
  await title.fill('The cake of my grandmother');
  await title.press('Enter');
  await chat.page.getByRole('heading', { name: 'The cake of my grandmother', level: 1 }).waitFor();
  const pinned = chat.page.getByRole('region', { name: 'Pinned' });
  await chat.choose(entry('The cake'), 'Pin');
  await pinned.getByText('The cake of my grandmother').waitFor();
  await chat.choose(entry('The cake'), 'Unpin');
  await pinned.waitFor({ state: 'detached' });
});

test('what is archived or deleted is found there, and comes back by undoing', async () => {
  await begin('To be kept');
  for (const [action, place] of [['Archive', 'Archive'], ['Delete', 'Trash']]) {
    await chat.choose(entry('To be kept'), action);
    await entry('To be kept').waitFor({ state: 'detached' });
    await chat.button(place).click();
    await entry('To be kept').waitFor();
    await chat.button('Chats').click();
    await chat.button('Undo').click();
    await entry('To be kept').waitFor();
  }
  await chat.choose(entry('To be kept'), 'Delete');
  await chat.button('Trash').click();
  await chat.choose(entry('To be kept'), 'Restore');
  await entry('To be kept').waitFor({ state: 'detached' });
  await chat.button('Chats').click();
  await entry('To be kept').waitFor();
});

test('several conversations are deleted at once, and restored at once', async () => {
  await begin('One of two');
  await begin('Two of two');
  await chat.choose(entry('One of two'), 'Select several');
  await entry('Two of two').getByRole('checkbox').check();
  await chat.page.getByText('2 selected').waitFor();
  await chat.page.getByRole('toolbar').getByRole('button', { name: 'Delete' }).click();
  await chat.page.getByText('2 moved to the trash').waitFor();
  assert.equal(await entry('of two').count(), 0);
  await chat.button('Undo').click();
  await entry('One of two').waitFor();
  await entry('Two of two').waitFor();
});

test('a search shows what it found, and jumps to a message on another branch', async () => {
  await begin('Where is the xylophone?');
  await chat.said.first().hover();
  await chat.button('Edit message', chat.said.first()).click();
  await chat.page.getByRole('textbox', { name: 'Edit message' }).fill('Where is the drum?');
  await chat.button('Save and send').click();
  await chat.said.filter({ hasText: 'drum' }).waitFor();

  await chat.page.keyboard.press('Control+k');
  await chat.page.locator('input[type=search]:focus').waitFor();
  await chat.page.keyboard.type('xylophone');
  const hits = chat.page.getByRole('navigation', { name: 'Search' });
  await hits.locator('mark', { hasText: 'xylophone' }).first().waitFor();
  await hits.getByRole('link').filter({ hasText: /Where is the xylophone\?$/ }).last().click();
  await chat.said.filter({ hasText: 'xylophone' }).waitFor();
  await chat.page.locator('.sought').waitFor();

  await chat.page.getByRole('searchbox').fill('nothingofthekind');
  await chat.page.getByText('Nothing was found.').waitFor();
});

test('more conversations are loaded when the end of the list comes near', async () => {
  for (let number = 0; number < 70; number += 1) {
    await site.run(`mutation { createConversation(input: { title: "Number ${number}" }) { conversation { id } } }`);
  }
  await chat.page.reload();
  await entry('Number 69').waitFor();
  assert.equal(await entry(/^Number 0$/).count(), 0);
  const list = chat.page.getByRole('navigation', { name: 'Conversations' });
  await list.evaluate((it) => it.scrollTo(0, it.scrollHeight));
  await entry('Number 20').waitFor();
  await list.evaluate((it) => it.scrollTo(0, it.scrollHeight));
  await entry(/^Number 0$/).waitFor();
});
