// A page that nobody is signed in to: a pasted token, and one from the operator's own page.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { setUp } from './chat.mjs';

let site, issuer, address;
before(async () => {
  site = await setUp({ CAUSERIE_ECHO_DELAY: '0ms' });
  // Where an operator's users sign in.
  issuer = createServer((request, response) => {
    const { searchParams } = new URL(request.url, 'http://127.0.0.1');
    const back = `${searchParams.get('return_to')}#token=${site.server.token}&state=${searchParams.get('state')}`;
    response.writeHead(302, { location: back }).end();
  });
  issuer.listen(0, '127.0.0.1');
  await once(issuer, 'listening');
  address = `http://127.0.0.1:${issuer.address().port}/sign-in`;
});
after(async () => {
  issuer?.close();
  await site?.close();
});

/** A tab whose page has no tokens of developers in it. */
async function tab(signIn, path = '') {
  const chat = await site.tab('graphiql');
  await chat.context.route(`${site.server.url}/`, async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace(/(<script id="page"[^>]*>).*?(<\/script>)/, `$1${JSON.stringify({ users: [], signIn })}$2`);
    await route.fulfill({ response, body });
  });
  await chat.page.goto(`${site.server.url}/${path}`);
  return chat;
}

test('without a place to sign in, the page asks for a token, and says if it is not good', async () => {
  const chat = await tab(null);
  const { page } = chat;
  await page.getByLabel('Token').fill('not-a-token');
  await chat.button('Sign in').click();
  await page.getByText('The server does not accept this token.').waitFor();
  await page.getByLabel('Token').fill(site.server.token);
  await chat.button('Sign in').click();
  await chat.ask('Signed in');
  assert.doesNotMatch(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])), new RegExp(site.server.token));
  await page.reload();
  await page.getByLabel('Token').waitFor();
  await chat.close();
});

test('with one it goes there, and comes back signed in, to where it was', async () => {
  const id = await site.say('Where it was');
  const chat = await tab(address, `#/c/${id}`);
  await chat.said.filter({ hasText: 'Where it was' }).waitFor();
  assert.equal(chat.page.url(), `${site.server.url}/#/c/${id}`);
  assert.doesNotMatch(await chat.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])), new RegExp(site.server.token));
  await chat.close();
});

test('a token that the tab has not asked for is not taken', async () => {
  const chat = await tab(null, `#token=${site.server.token}&state=guessed`);
  await chat.page.getByLabel('Token').waitFor();
  assert.doesNotMatch(chat.page.url(), /token/);
  await chat.close();
});

/** The server takes tokens for so many seconds after their end. */
const LEEWAY = 30;

/** A server whose users sign in elsewhere, with tokens that are accepted for `seconds`. */
async function signedInElsewhere(seconds, answer) {
  const secret = randomBytes(32).toString('hex');
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const issue = (sub) => {
    const iat = Math.floor(Date.now() / 1000) - LEEWAY;
    const signed = `${part({ alg: 'HS256' })}.${part({ sub, iat, exp: iat + seconds })}`;
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  };
  const visits = { shown: 0, silent: 0 };
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url, 'http://127.0.0.1');
    const isSilent = searchParams.get('prompt') === 'none';
    visits[isSilent ? 'silent' : 'shown'] += 1;
    const user = answer(isSilent);
    if (!user) return response.writeHead(200, { 'x-frame-options': 'DENY' }).end('Who are you?');
    const back = `${searchParams.get('return_to')}#token=${issue(user)}&state=${searchParams.get('state')}`;
    response.writeHead(302, { location: back }).end();
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const settings = {
    CAUSERIE_AUTH_SECRET: secret,
    CAUSERIE_PAGE_SIGN_IN: `http://127.0.0.1:${server.address().port}/sign-in`,
  };
  const own = await setUp(settings, { flags: [] });
  return {
    visits,
    tab: () => own.tab(),
    async close() {
      await own.close();
      server.close();
    },
  };
}

test('a token is renewed before it ends, without leaving the page or losing a word', async () => {
  const own = await signedInElsewhere(6, () => 'ann');
  const chat = await own.tab();
  await chat.ask('With the first token');
  await chat.field.fill('half a tho');
  const shown = own.visits.shown;
  await chat.page.evaluate(() => (globalThis.isSamePage = true));
  const renewals = own.visits.silent;
  while (own.visits.silent < renewals + 2) await chat.page.waitForEvent('framenavigated');
  assert.equal(await chat.field.inputValue(), 'half a tho');
  await chat.ask('With a later one');
  assert.equal(await chat.page.evaluate(() => globalThis.isSamePage), true);
  assert.equal(own.visits.shown, shown, 'nobody has seen the page that gives tokens again');
  // The next renewal may be under way.
  await chat.page.locator('iframe').waitFor({ state: 'detached' });
  assert.deepEqual(chat.faults.filter((fault) => !fault.includes('/sign-in')), []);
  await chat.close();
  await own.close();
});

for (const [how, answer] of [
  ['cannot be renewed', (isSilent) => (isSilent ? undefined : 'ann')],
  ['comes back as another user\'s', (isSilent) => (isSilent ? 'bob' : 'ann')],
]) {
  test(`when a token ${how}, the page asks to sign in, and keeps what was being written`, async () => {
    const own = await signedInElsewhere(4, answer);
    const chat = await own.tab();
    await chat.field.fill('half a thought');
    await chat.page.getByRole('heading', { name: 'Sign in' }).waitFor({ timeout: 30_000 });
    assert.ok(own.visits.silent >= 1);
    await chat.button('Sign in').click();
    await chat.field.waitFor();
    assert.equal(await chat.field.inputValue(), 'half a thought');
    await chat.close();
    await own.close();
  });
}
