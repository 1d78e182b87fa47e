// @causerie/client from its tarball: what a stream of a reply survives, and what the client asks for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CauserieError, createClient } from '@causerie/client';
import { startProxy } from './proxy.mjs';
import { startCluster, startServer, tokenFor } from './servers.mjs';

const WORDS = 'one two three four five six seven eight nine ten';

let server, proxy, client;
before(async () => {
  // A reply takes its time, so that something can happen in the middle of it.
  server = await startServer({ CAUSERIE_ECHO_DELAY: '30ms' });
  proxy = await startProxy(server.url);
  client = createClient({ url: `${proxy.url}/graphql`, token: () => server.token });
});
after(async () => {
  proxy.close();
  await server.stop();
});

/** The steps of a reply, with what is done after the third text. */
async function read(stream, meanwhile = () => {}) {
  const steps = [];
  let texts = 0;
  for await (const step of stream) {
    steps.push(step);
    if (step.event?.__typename === 'ReplyText' && (texts += 1) === 3) await meanwhile(step);
  }
  return steps;
}

const textsOf = (steps) => steps.map(({ event }) => (event?.__typename === 'ReplyText' ? event.text : '')).join('');

test('a message is sent and its reply streamed in one request', async () => {
  const steps = await read(client.send({ content: WORDS }));
  const names = steps.map(({ event }) => event.__typename);
  assert.deepEqual([names[0], names[1], names.at(-1)], ['ReplyRequested', 'ReplyStarted', 'ReplyEnded']);
  const { reply } = steps.at(-1);
  assert.equal(reply.status, 'COMPLETE');
  assert.equal(textsOf(steps), reply.content);
  assert.ok(steps.length > 5);
  // Each step has the reply as it was then.
  assert.equal(steps.at(-2).reply.content, reply.content);
  assert.equal(steps[1].reply.content, '');
  const { nodes } = await client.messages({ conversationId: reply.conversation.id });
  assert.deepEqual(nodes.map(({ content }) => content), [WORDS, reply.content]);
});

test('a connection that breaks again and again costs no word and repeats none', async () => {
  const before = (await client.conversations({ first: 100 })).nodes.length;
  const timer = setInterval(proxy.cut, 100);
  const steps = await read(client.send({ content: WORDS }), proxy.cut).finally(() => clearInterval(timer));
  const { reply } = steps.at(-1);
  assert.equal(reply.status, 'COMPLETE');
  assert.equal(steps.filter(({ event }) => event.__typename === 'ReplyRequested').length, 1);
  assert.equal(textsOf(steps), reply.content);
  assert.match(reply.content, new RegExp(`${WORDS}$`));
  assert.equal((await client.conversations({ first: 100 })).nodes.length, before + 1);
});

test('a server that falls silent is given up, and the reply resumed', async () => {
  const impatient = createClient({
    url: `${proxy.url}/graphql`,
    token: () => server.token,
    silence: 400,
    async fetch(url, init) {
      const response = await fetch(url, init);
      if (isDone) return response;
      isDone = true;
      // What comes after the first words is never delivered, nor the end.
      const reader = response.body.getReader();
      let left = 3;
      const body = new ReadableStream({
        async pull(controller) {
          if ((left -= 1) < 0) return new Promise(() => {});
          controller.enqueue((await reader.read()).value);
        },
      });
      return new Response(body, { headers: response.headers });
    },
  });
  let isDone = false;
  const steps = await read(impatient.send({ content: WORDS }));
  assert.ok(isDone);
  assert.equal(textsOf(steps), steps.at(-1).reply.content);
});

test('a reply goes on after kill -9 of its server, at the other one or the next', { timeout: 120_000 }, async () => {
  const cluster = await startCluster({ CAUSERIE_ECHO_DELAY: '100ms' });
  try {
    const survivor = createClient({ url: `${cluster.url}/graphql`, token: cluster.token });
    const steps = [];
    let kills = 0;
    for await (const step of survivor.send({ content: WORDS })) {
      steps.push(step);
      // Each of the servers, so that one of them was writing.
      const isInMiddle = step.event?.__typename === 'ReplyText' && /three|four/.test(step.reply.content) && step.reply.finishedAt === null;
      if (isInMiddle && kills < 2) {
        kills += 1;
        await cluster.kill();
      }
    }
    assert.equal(kills, 2);
    const { reply } = steps.at(-1);
    assert.equal(reply.status, 'COMPLETE');
    assert.match(reply.content, new RegExp(`${WORDS}$`));
    const restarted = steps.findLastIndex(({ event }) => event.__typename === 'ReplyRestarted');
    assert.notEqual(restarted, -1, 'another attempt');
    assert.equal(textsOf(steps.slice(restarted)), reply.content);
    // What is shown begins anew, and is whole before the end says so.
    assert.deepEqual([steps[restarted].reply.content, steps.at(-2).reply.content], ['', reply.content]);
    assert.equal(steps.filter(({ event }) => event.__typename === 'ReplyRequested').length, 1);
    assert.equal((await survivor.conversations()).nodes.length, 1);
  } finally {
    await cluster.stop();
  }
});

test('a reply is followed from what is there: by its id after a reload, by the message after any pause', async () => {
  let half;
  for await (const step of client.send({ content: WORDS })) {
    half = step;
    if (step.reply.content.length > 30) break;
  }
  const steps = await read(client.follow(half.reply.id));
  assert.equal(steps[0].event, undefined);
  const { reply } = steps.at(-1);
  assert.equal(steps[0].reply.content + textsOf(steps.slice(1)), reply.content);
  // An ended reply has one step.
  assert.equal((await read(client.follow(reply.id))).length, 1);
  await assert.rejects(read(client.follow('00000000-0000-7000-8000-000000000000')), { code: 'NOT_FOUND' });
});

test('leaving a stream does not stop the reply; stop does, and tells the text', async () => {
  const controller = new AbortController();
  let id;
  await assert.rejects(async () => {
    for await (const { reply } of client.send({ content: WORDS }, { signal: controller.signal })) {
      id = reply.id;
      controller.abort();
    }
  }, { name: 'AbortError' });
  assert.notEqual((await client.message(id)).status, 'STOPPED');

  const steps = await read(client.send({ content: WORDS }), ({ reply }) => client.stop(reply.id));
  const { reply } = steps.at(-1);
  assert.equal(reply.status, 'STOPPED');
  assert.equal((await client.message(reply.id)).content, reply.content);
});

test('edits and regenerations are versions, which can be activated again', async () => {
  const [{ event: first }] = await read(client.send({ content: 'pears' }));
  await read(client.edit({ messageId: first.message.id, content: 'apples' }));
  await read(client.regenerate({ messageId: first.reply.id }));
  const conversationId = first.conversation.id;
  const shown = async () => (await client.messages({ conversationId })).nodes.map(({ content }) => content);
  assert.deepEqual((await shown())[0], 'pears');
  const versions = await client.versions(first.message.id);
  assert.deepEqual(versions.map(({ content }) => content), ['pears', 'apples']);
  await client.activate(versions[1].id);
  assert.deepEqual((await shown())[0], 'apples');
  assert.deepEqual((await client.search('apples', { filter: { role: 'USER', conversationId } })).nodes[0].snippet.ranges, [{ start: 0, end: 6 }]);
});

test('everything else does what its name says', async () => {
  const conversation = await client.createConversation({ title: 'Plans' });
  const renamed = await client.updateConversation({ conversationId: conversation.id, title: 'Better plans', pinned: true });
  assert.deepEqual([renamed.title, renamed.pinnedAt === null], ['Better plans', false]);
  const [step] = await read(client.send({ conversationId: conversation.id, content: '/fail' }));
  const failed = await client.message(step.reply.id);
  assert.equal(failed.status, 'FAILED');
  assert.ok(failed.failure.code);
  assert.equal((await read(client.retry({ messageId: failed.id }))).at(-1).reply.status, 'FAILED');
  assert.equal((await client.rate(failed.id, 'DOWN', 'no words')).feedback.comment, 'no words');
  assert.equal((await client.rate(failed.id, null)).feedback, null);
  assert.equal((await client.markRead(conversation.id, failed.id)).unreadCount, 0);
  const fork = await client.fork(step.event.message.id);
  assert.notEqual(fork.id, conversation.id);
  assert.equal((await client.deleteMessage(failed.id)).lastMessage.id, step.event.message.id);
  await client.deleteConversation(fork.id);
  assert.equal(await client.conversation(fork.id), null);
  assert.equal((await client.restoreConversation(fork.id)).state, 'ACTIVE');
  assert.equal((await client.conversation(fork.id)).id, fork.id);
  assert.equal((await client.viewer()).id, server.user);
});

test('further fields come with every message', async () => {
  const curious = createClient({ url: `${server.url}/graphql`, token: server.token, fields: { message: 'active', conversation: 'messageCount' } });
  const [{ event }] = await read(curious.send({ content: 'pears' }));
  assert.equal(event.conversation.messageCount, 2);
  assert.equal((await curious.message(event.reply.id)).active, true);
});

test('a refused request is an error with its code, and a token is renewed once', async () => {
  await assert.rejects(client.stop('nothing'), (error) => error instanceof CauserieError && error.code === 'NOT_FOUND' && !error.isRetryable);
  await assert.rejects(read(client.send({ content: '' })), (error) => error.code === 'BAD_USER_INPUT' && error.extensions.field === 'input.content');

  const asked = [];
  const renewing = createClient({
    url: `${server.url}/graphql`,
    token: (isRefused) => {
      asked.push(isRefused);
      return isRefused ? server.token : 'expired';
    },
  });
  assert.equal((await renewing.viewer()).id, server.user);
  assert.deepEqual(asked, [false, true]);
  assert.equal((await read(renewing.send({ content: 'pears' }))).at(-1).reply.status, 'COMPLETE');

  const refused = createClient({ url: `${server.url}/graphql`, token: 'expired' });
  await assert.rejects(refused.viewer(), { code: 'UNAUTHENTICATED' });
  await assert.rejects(read(refused.send({ content: 'pears' })), { code: 'UNAUTHENTICATED' });

  const nowhere = createClient({ url: 'http://127.0.0.1:9/graphql' });
  await assert.rejects(nowhere.viewer(), (error) => error.code === 'NETWORK' && error.isRetryable);
});

test('a mutation whose answer is lost happens once', async () => {
  let lost = 0;
  const unlucky = createClient({
    url: `${server.url}/graphql`,
    token: server.token,
    async fetch(...request) {
      const response = await fetch(...request);
      if ((lost += 1) > 1) return response;
      throw new TypeError('fetch failed');
    },
  });
  const conversation = await unlucky.createConversation({ title: 'Only one of me' });
  assert.equal(lost, 2);
  const { nodes } = await client.conversations({ filter: { titleContains: 'only one of me' } });
  assert.deepEqual(nodes.map(({ id }) => id), [conversation.id]);
});

test('a text may have any character, those that end lines elsewhere too', async () => {
  const content = 'a\u2028event: complete\u2029data: {}\r\n\r\n\u0085b \u{1f600}\n\ndata: x';
  const steps = await read(client.send({ content }));
  assert.equal(steps.at(-1).reply.status, 'COMPLETE');
  assert.ok(steps.at(-1).reply.content.endsWith(content.replaceAll('\r\n', '\n')) || steps.at(-1).reply.content.endsWith(content));
  assert.equal(textsOf(steps), steps.at(-1).reply.content);
});

test('a stream whose token expires in the middle goes on with a new one', async () => {
  // The server's clock and the issuer's may be 30 seconds apart.
  let current = tokenFor(server.user, 2 - 30);
  let renewals = 0;
  const lasting = createClient({
    url: `${server.url}/graphql`,
    token(isRefused) {
      if (isRefused) {
        renewals += 1;
        current = tokenFor(server.user);
      }
      return current;
    },
  });
  const long = Array.from({ length: 120 }, (_, index) => `word${index}`).join(' ');
  // Two streams at once are refused at the same moment, and share one renewal.
  const all = await Promise.all([read(lasting.send({ content: long })), read(lasting.send({ content: long }))]);
  for (const steps of all) {
    assert.equal(steps.at(-1).reply.status, 'COMPLETE');
    assert.equal(textsOf(steps), steps.at(-1).reply.content);
  }
  assert.equal(renewals, 1);
});

test('the settings, quotas and usage of a user are read and changed', async () => {
  const [assistant] = await client.assistants();
  assert.deepEqual([assistant.id, assistant.isDefault, assistant.temperature], ['default', true, null]);
  await client.configureViewer({ instructions: 'Be brief.' });
  assert.deepEqual(await client.settings(), { assistantId: null, instructions: 'Be brief.' });
  await client.configureViewer({ instructions: null });
  const { id } = await client.createConversation();
  await client.updateConversation({ conversationId: id, assistantId: assistant.id, instructions: 'In French.' });
  assert.deepEqual(await client.settings(id), { assistantId: assistant.id, instructions: 'In French.', parameters: null });
  assert.equal(await client.settings('00000000-0000-7000-8000-000000000000'), null);

  const { reply } = (await read(client.send({ conversationId: id, content: 'pears' }))).at(-1);
  assert.equal(reply.assistantId, assistant.id);
  assert.deepEqual(Object.keys(reply.usage), ['inputTokens', 'outputTokens', 'cachedInputTokens', 'estimated', 'cost']);
  assert.deepEqual(await client.quotas(), []);
  const today = new Date().toISOString().slice(0, 10);
  const [day] = await client.usage(`${today.slice(0, 4)}-01-01`, today);
  assert.deepEqual([day.assistantId, day.replies > 0, day.tokens > 0], [assistant.id, true, true]);
});
