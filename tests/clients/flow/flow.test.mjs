// What a page does in one sitting, and how many requests that takes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as sse from 'graphql-sse';
import * as ws from 'graphql-ws';
import WebSocket from 'ws';
import { start } from '../server.mjs';
import { Chat } from './client.mjs';

let server;
before(async () => {
  const { CAUSERIE_BINARY, CAUSERIE_DATABASE } = process.env;
  // A reply takes its time, so that something can happen in the middle of it.
  server = await start(CAUSERIE_BINARY, CAUSERIE_DATABASE || undefined, { CAUSERIE_ECHO_DELAY: '30ms' });
});
after(() => server.stop());

const authorization = () => `Bearer ${server.token}`;

/** A client of graphql-sse: each request is a `fetch`. */
function bySse(count) {
  const fetchFn = (...request) => {
    count();
    return fetch(...request);
  };
  return sse.createClient({ url: `${server.url}/graphql`, headers: () => ({ authorization: authorization() }), fetchFn, retryAttempts: 0 });
}

/** A client of graphql-ws: each request is a `subscribe` on its one socket. */
function byWs(count) {
  class Counting extends WebSocket {
    send(text, ...rest) {
      if (JSON.parse(text).type === 'subscribe') count();
      super.send(text, ...rest);
    }
  }
  const connectionParams = () => ({ authorization: authorization() });
  return ws.createClient({ url: `${server.url.replace('http', 'ws')}/graphql`, webSocketImpl: Counting, connectionParams, retryAttempts: 0 });
}

/** Reads to the end, or until an event is wanted no more. */
async function read(events, enough = () => false) {
  for await (const event of events) if (enough(event)) return event;
}

const isText = (event) => event.__typename === 'ReplyText';

for (const [name, connect] of [['graphql-sse', bySse], ['graphql-ws', byWs]]) {
  describe(name, () => {
    const clients = [];
    /** A page: a client that has shown nothing yet, and how many requests it has made. */
    function open() {
      const page = { requests: 0 };
      const client = connect(() => (page.requests += 1));
      clients.push(client);
      page.chat = new Chat((payload) => client.iterate(payload));
      return page;
    }
    after(() => clients.forEach((client) => client.dispose()));

    test('one sitting', { timeout: 60_000 }, async () => {
      const page = open();
      const { chat } = page;
      await chat.load();
      assert.equal(page.requests, 1);

      // A second device follows all of it in one request, until the last thing that the page does.
      const device = open();
      let target;
      const followed = (async () => {
        const told = new Set();
        let isNearEnd = false;
        for await (const change of device.chat.mirror()) {
          told.add(change.__typename);
          isNearEnd ||= device.chat.thread.some(({ role, status, parts }) => role === 'ASSISTANT' && status === 'COMPLETE' && parts.at(-1).text.endsWith(`the very end of ${name}`));
          if (isNearEnd && device.chat.path(chat.id).some((message) => message?.id === target)) return told;
        }
      })();

      // Send and stream.
      await read(chat.send(`Hello by ${name}`));
      assert.equal(page.requests, 2);
      assert.deepEqual(chat.thread.map(({ status }) => status), ['COMPLETE', 'COMPLETE']);
      assert.equal(chat.texts[0], `Hello by ${name}`);
      assert.ok(chat.texts[1].endsWith(chat.texts[0]));
      assert.deepEqual(chat.streamed, chat.thread[1].parts);

      // Reload in the middle of a reply.
      await read(chat.send('a question with quite a few words in it'), isText);
      const reloaded = open();
      await reloaded.chat.load(chat.id);
      const shown = reloaded.chat.texts[3];
      await read(reloaded.chat.resume());
      assert.equal(reloaded.requests, 2);
      assert.ok(reloaded.chat.texts[3].startsWith(shown) && reloaded.chat.texts[3].endsWith(' in it'));
      assert.deepEqual(reloaded.chat.streamed, reloaded.chat.thread[3].parts);

      // Stop.
      let stopped = false;
      for await (const event of chat.send('another question with quite a few words in it')) {
        if (isText(event) && !stopped) {
          stopped = true;
          await chat.stop(chat.thread.at(-1).id);
        }
      }
      assert.equal(chat.thread.at(-1).status, 'STOPPED');

      // Regenerate, and edit.
      let before = page.requests;
      await read(chat.regenerate(chat.thread.at(-1).id));
      const { status, siblingIndex, siblingCount } = chat.thread.at(-1);
      assert.deepEqual([status, siblingIndex, siblingCount], ['COMPLETE', 1, 2]);
      await read(chat.edit(chat.thread[2].id, 'a better question'));
      assert.equal(page.requests, before + 2);
      assert.deepEqual([chat.texts.length, chat.texts[2]], [4, 'a better question']);

      // The version arrow.
      await read(chat.send(`the very end of ${name}`));
      before = page.requests;
      target = chat.thread[2].previousVersionId;
      await chat.showVersion(target);
      assert.equal(page.requests, before + 1);
      assert.deepEqual([chat.texts.length, chat.texts[2]], [6, 'a question with quite a few words in it']);

      const told = await followed;
      assert.equal(device.requests, 1);
      for (const kind of ['ActivePathChanged', 'ConversationChanged', 'MessageChanged', 'ReplyProgressed']) assert.ok(told.has(kind), kind);
      // It shows what the page shows.
      const outline = (messages) => messages.map(({ id, parts }) => ({ id, parts }));
      assert.deepEqual(outline(device.chat.path(chat.id)), outline(chat.thread));
    });
  });
}
