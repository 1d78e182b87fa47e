// GraphiQL as a developer uses it, in a browser that cannot reach any other host.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { join } from 'node:path';
import { launch, open } from './browser.mjs';
import { Editors } from './editors.mjs';

const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token, CAUSERIE_SCREENSHOTS: screenshots } = process.env;
const headers = JSON.stringify({ Authorization: `Bearer ${token}` });

let browser, context, page, faults, editors;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

beforeEach(async () => {
  ({ context, page, faults } = await open(browser, new URL(server).origin));
  editors = new Editors(page);
  await page.goto(`${server}/graphiql`);
  await editors.ready();
});

afterEach(async () => {
  await context.close();
});

async function screenshot(name) {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

test('opens signed in, lists conversations, sends a message', async () => {
  assert.match(await editors.read('request-headers.json'), /"Authorization": "Bearer [\w-]+\.[\w-]+\.[\w-]+"/);

  const listed = await editors.run();
  assert.equal(listed.errors, undefined);
  assert.equal(typeof listed.data.viewer.id, 'string');
  await screenshot('list-conversations');

  await page.getByRole('tab', { name: 'SendMessage' }).click();
  const sent = await editors.run();
  assert.equal(sent.errors, undefined);
  assert.match(sent.data.sendMessage.message.content, /^Good morning!/);
  assert.equal(sent.data.sendMessage.reply.status, 'COMPLETE');
  assert.notEqual(sent.data.sendMessage.reply.content, '');
  await screenshot('send-message');

  await page.getByRole('tab', { name: 'ListConversations' }).click();
  const { data } = await editors.run();
  assert.ok(data.conversations.nodes.some(({ id }) => id === sent.data.sendMessage.conversation.id));
  assert.deepEqual(faults, []);
});

test('shows the documentation of the schema', async () => {
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  const documentation = page.getByRole('region', { name: 'Documentation Explorer' });
  await documentation.getByRole('link', { name: 'Query', exact: true }).click();
  await documentation.getByRole('link', { name: 'conversations', exact: true }).waitFor();
  await screenshot('documentation');
  assert.deepEqual(faults, []);
});

test('checks what is typed against the schema, in a worker', async () => {
  await editors.write('operation.graphql', '{ nonsense }');
  assert.match(await editors.complaint('operation.graphql'), /Cannot query field "nonsense"/);
  assert.deepEqual(faults, []);
});

test('sends variables', async () => {
  const content = 'Ça va ? 👋';
  await editors.write(
    'operation.graphql',
    'mutation Say($input: SendMessageInput!) { sendMessage(input: $input) { message { content } } }',
  );
  await editors.write('variables.json', JSON.stringify({ input: { content } }));
  assert.deepEqual(await editors.run(), { data: { sendMessage: { message: { content } } } });
  assert.deepEqual(faults, []);
});

test('sends the headers that are typed, and none that are not filled in', async () => {
  await editors.write('operation.graphql', '{ viewer { id } }');
  await editors.write('request-headers.json', headers);
  assert.equal((await editors.run()).errors, undefined);

  await editors.write('request-headers.json', '{ "Authorization": "Bearer " }');
  const stranger = await editors.run();
  assert.equal(stranger.errors[0].extensions.code, 'UNAUTHENTICATED');
  assert.deepEqual(faults, []);
});

test('runs subscriptions as server-sent events with the typed headers', async () => {
  let sent;
  await page.route(`${server}/graphql`, async (route, request) => {
    if ((await request.headerValue('accept')) !== 'text/event-stream') return route.fallback();
    sent = { body: request.postDataJSON(), authorization: await request.headerValue('authorization') };
    const results = [{ data: { tick: 1 } }, { data: { tick: 2 } }];
    const events = results.map((result) => `event: next\ndata: ${JSON.stringify(result)}\n\n`);
    await route.fulfill({ contentType: 'text/event-stream', body: `${events.join('')}event: complete\ndata: \n\n` });
  });
  await editors.write('operation.graphql', 'subscription Ticks { tick }');
  await editors.write('request-headers.json', '{ "Authorization": "Bearer typed" }');
  assert.deepEqual(await editors.run(({ data }) => data?.tick === 2), { data: { tick: 2 } });
  assert.equal(sent.authorization, 'Bearer typed');
  assert.equal(sent.body.operationName, 'Ticks');
  assert.deepEqual(faults, []);
});

test('sends and follows the reply in one request, which is the same when it is repeated', async () => {
  await page.getByRole('tab', { name: 'SendAndFollow' }).click();
  const ended = [];
  for (let times = 0; times < 2; times += 1) {
    ended.push(await editors.run(({ data }) => data?.sendMessage?.__typename === 'ReplyEnded'));
  }
  assert.equal(ended[0].data.sendMessage.reply.status, 'COMPLETE');
  assert.deepEqual(ended[1], ended[0]);
  assert.deepEqual(faults, []);
});

test('follows what changes, and finds what was said', async () => {
  await page.getByRole('tab', { name: 'SendMessage' }).click();
  assert.equal((await editors.run()).errors, undefined);
  await page.getByRole('tab', { name: 'FollowChanges' }).click();
  // It goes on for ever: what was there before comes first.
  const changed = await editors.run(({ data }) => data?.changes?.__typename);
  assert.match(changed.data.changes.__typename, /^(Conversation|Message)Changed$/);
  await screenshot('follow-changes');
  assert.deepEqual(faults, []);
});

test('never stores a token', async () => {
  await editors.write('request-headers.json', headers);
  await editors.run();
  // The tabs are stored with a delay.
  await page.waitForFunction(() => localStorage.getItem('graphiql:tabState')?.includes('ListConversations'));
  await page.waitForFunction(() => localStorage.getItem('graphiql:queries'));
  assert.doesNotMatch(await page.evaluate(() => JSON.stringify({ ...localStorage })), /Bearer/);

  await page.reload();
  await editors.ready();
  await page.getByRole('button', { name: 'Show History' }).click();
  await page.getByRole('button', { name: 'ListConversations', exact: true }).click();
  assert.match(await editors.read('request-headers.json'), /Bearer/);
  assert.equal((await editors.run()).errors, undefined);
  await screenshot('history');
  assert.deepEqual(faults, []);
});
