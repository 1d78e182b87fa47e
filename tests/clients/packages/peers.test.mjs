// The peers' own example pages, as their packages bring them, each changed in two lines: its import, and what it makes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createChatTransport } from '@causerie/ai-sdk';
import { launch } from '../graphiql/browser.mjs';
import { startServer } from './servers.mjs';
import { openPage, serve } from './site.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const faults = [];
let server, browser, directory, options;
before(async () => {
  server = await startServer();
  options = `{ url: '${server.url}/graphql', token: '${server.token}' }`;
  // Within this directory, so that the packages are found.
  directory = mkdtempSync(join(here, '.work-'));
  browser = await launch();
});
afterEach(() => assert.deepEqual(faults.splice(0), []));
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** The first example of a document that has all of these texts. */
function exampleOf(document, ...texts) {
  const examples = [...readFileSync(join(here, 'node_modules', document), 'utf8').matchAll(/^```tsx[^\n]*\n([^]*?)^```/gm)];
  const found = examples.find(([, example]) => texts.every((text) => example.includes(text)));
  assert.ok(found, `${document} has no such example any more`);
  return found[1];
}

/** The example with each change made, in one place. */
function changed(example, ...changes) {
  assert.equal(changes.length, 2);
  return changes.reduce((text, [from, to]) => {
    assert.equal(text.split(from).length, 2, `the example has ${from} once`);
    return text.replace(from, () => to);
  }, example);
}

/** Checks the types of a page, and opens what it exports, with these attributes. */
async function open(name, page, exported, attributes = '', paths = {}) {
  const path = join(directory, `${name}.tsx`);
  writeFileSync(path, page);
  const found = Object.fromEntries(Object.entries(paths).map(([from, to]) => [from, [to]]));
  // The examples are written for `strict` without more.
  const compilerOptions = { exactOptionalPropertyTypes: false, noUncheckedIndexedAccess: false, module: 'ESNext', moduleResolution: 'Bundler', paths: found };
  const config = join(directory, `${name}.json`);
  writeFileSync(config, JSON.stringify({ extends: '../tsconfig.json', compilerOptions, include: [path] }));
  try {
    execFileSync(join(here, 'node_modules/.bin/tsc'), ['-p', config], { encoding: 'utf8', stdio: 'pipe' });
  } catch ({ stdout }) {
    assert.fail(stdout);
  }
  const app = await serve(
    `import { createRoot } from 'react-dom/client'; import ${exported} from '${path}';
    createRoot(document.querySelector('#app')!).render(<Page ${attributes} />);`,
    paths,
  );
  return { app, opened: await openPage(browser, app.url, faults) };
}

const IMPORT = ["import { DefaultChatTransport } from 'ai';", "import { createChatTransport } from '@causerie/ai-sdk';"];
const transport = () => [/new DefaultChatTransport\(\{\s*api: '\/api\/chat',?\s*\}\)/, `createChatTransport(${options})`];

test("the AI SDK's chatbot", async () => {
  const page = changed(exampleOf('ai/docs/04-ai-sdk-ui/02-chatbot.mdx', 'DefaultChatTransport', 'export default'), IMPORT, transport());
  const { app, opened } = await open('chatbot', page, 'Page');
  await opened.getByRole('textbox').fill('What about pears?');
  await opened.getByRole('button', { name: 'Submit' }).click();
  await opened.getByText(/AI: .*You wrote:\s+What about pears\?/).waitFor();
  await opened.getByRole('textbox').fill('And apples?');
  await opened.getByRole('button', { name: 'Submit' }).click();
  await opened.getByText(/AI: .*You wrote:\s+And apples\?/).waitFor();
  app.close();
});

test("the AI SDK's chatbot with its error and a retry", async () => {
  const page = changed(exampleOf('ai/docs/04-ai-sdk-ui/02-chatbot.mdx', 'DefaultChatTransport', 'An error occurred'), IMPORT, transport());
  const { app, opened } = await open('failing', page, 'Page');
  await opened.getByRole('textbox').fill('/fail');
  await opened.keyboard.press('Enter');
  await opened.getByText('An error occurred').waitFor();
  await opened.getByRole('button', { name: 'Retry' }).click();
  await opened.getByText('An error occurred').waitFor({ state: 'detached' });
  await opened.getByText('An error occurred').waitFor();
  app.close();
});

test("the AI SDK's stored chat, whose messages the server keeps", async () => {
  const page = changed(exampleOf('ai/docs/04-ai-sdk-ui/03-chatbot-message-persistence.mdx', 'initialMessages', 'DefaultChatTransport', 'handleSubmit'), IMPORT, transport());
  const first = await open('stored', page, 'Page', 'id="stored"');
  await first.opened.getByRole('textbox').fill('Kept by the server');
  await first.opened.getByRole('button', { name: 'Send' }).click();
  await first.opened.getByText(/AI: .*You wrote:\s+Kept by the server/).waitFor();
  first.app.close();
  const messages = await createChatTransport({ url: `${server.url}/graphql`, token: server.token }).history('stored');
  assert.equal(messages.length, 2);
  const second = await open('stored-again', page, 'Page', `id="stored" initialMessages={${JSON.stringify(messages)}}`);
  await second.opened.getByText(/AI: .*You wrote:\s+Kept by the server/).waitFor();
  second.app.close();
});

test("assistant-ui's app", async () => {
  const page = changed(
    exampleOf('@assistant-ui/react/README.md', 'useChatRuntime()', 'AssistantRuntimeProvider'),
    ['import { useChatRuntime } from "@assistant-ui/ai-sdk";', "import { useCauserieRuntime } from '@causerie/assistant-ui';"],
    ['useChatRuntime()', `useCauserieRuntime(${options})`],
  );
  // Its command line writes this component into an app: here it is a plain one.
  const { app, opened } = await open('assistant-ui', page, '{ Chat as Page }', '', { '@/components/assistant-ui/elements/thread.aui': join(here, 'app/thread.tsx') });
  await opened.locator('.input').fill('What about pears?');
  await opened.getByRole('button', { name: 'Send' }).click();
  await opened.locator('.assistant', { hasText: /You wrote:\s+What about pears\?/ }).waitFor();
  await opened.getByRole('button', { name: 'Reload' }).click();
  await opened.locator('.assistant .branch', { hasText: '2 / 2' }).waitFor();
  app.close();
});
