// The chat page in a browser that can reach no other host, on a server of its own.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '../server.mjs';
import { launch, open } from '../graphiql/browser.mjs';

const { CAUSERIE_BINARY: binary } = process.env;

/** Starts the server with a file of assistants, which it reads once. */
async function startWith(assistants, settings, database, flags) {
  if (!assistants) return start(binary, database, settings, flags);
  const directory = mkdtempSync(join(tmpdir(), 'causerie-chat-'));
  const path = join(directory, 'assistants.toml');
  writeFileSync(path, assistants);
  const started = start(binary, database, { ...settings, CAUSERIE_ASSISTANTS: path }, flags);
  return started.finally(() => rmSync(directory, { recursive: true }));
}

/**
 * A browser, and a server whose assistant takes its time, on `database` or else on one of its own; or one with the
 * `assistants` of a file with this text.
 */
export async function setUp(settings = {}, { assistants, database, flags, browse = launch } = {}) {
  const delay = assistants ? undefined : '20ms';
  const server = await startWith(assistants, { CAUSERIE_ECHO_DELAY: delay, ...settings }, database, flags);
  const browser = await browse().catch(async (error) => {
    await server.stop();
    throw error;
  });
  return {
    server,
    browser,
    /** A tab of its own, which shares nothing with others. */
    async tab(path = '', options = {}) {
      const { context, page, faults } = await open(browser, server.url, options);
      page.setDefaultTimeout(15_000);
      await page.goto(`${server.url}/${path}`);
      return new Chat(page, context, faults, server.url);
    },
    /** Runs a query or mutation as the page's user. */
    async run(query, variables) {
      const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' };
      const response = await fetch(`${server.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
      const { data, errors } = await response.json();
      if (errors) throw new Error(errors[0].message);
      return data;
    },
    /** Says something by the API, waits for the reply, and tells the conversation's id. */
    async say(content, conversationId) {
      const query = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { conversation { id } } }';
      return (await this.run(query, { input: { content, conversationId } })).sendMessage.conversation.id;
    },
    async close() {
      await browser.close();
      await server.stop();
    },
  };
}

/** What a person sees and does. */
export class Chat {
  constructor(page, context, faults, url) {
    Object.assign(this, { page, context, faults, url });
  }

  get field() {
    return this.page.getByRole('textbox', { name: 'Message', exact: true });
  }

  get replies() {
    return this.page.getByRole('article', { name: 'Assistant' });
  }

  get said() {
    return this.page.getByRole('article', { name: 'You' });
  }

  /** The entries of the list of conversations. */
  get entries() {
    return this.page.getByRole('navigation', { name: 'Conversations' }).getByRole('listitem');
  }

  button(name, within = this.page) {
    return within.getByRole('button', { name, exact: true });
  }

  /** Waits until the end of the thread is in sight. */
  async isAtEnd() {
    await this.page.waitForFunction(() => {
      const { scrollHeight, scrollTop, clientHeight } = document.querySelector('.viewport');
      return scrollHeight - scrollTop - clientHeight < 2;
    });
  }

  /** Waits until the place to write in holds this text. */
  async fieldHolds(text) {
    await this.page.waitForFunction((wanted) => document.querySelector('.composer textarea')?.value === wanted, text);
  }

  async send(text) {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  /** Sends, and waits until the reply has ended. */
  async ask(text) {
    const before = (await this.replies.count()) > 0 ? await this.replies.last().locator('..').getAttribute('data-message') : '';
    await this.send(text);
    const place = this.page.locator(`[data-message]:not([data-message="${before}"]):has(> .reply.last)`);
    await this.button('Copy', place).waitFor();
    return this.page.locator(`[data-message="${await place.getAttribute('data-message')}"] > .reply`);
  }

  /** Chooses from the menu of an entry of the list. */
  async choose(entry, action) {
    await entry.hover();
    await entry.getByRole('button', { name: /^More/ }).click();
    await this.page.getByRole('menuitem', { name: action, exact: true }).click();
  }

  async close() {
    await this.context.close();
  }
}
