// A page that nobody is signed in to: a pasted token, and one from the operator's own page.
import assert from 'node:assert/strict';
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
