// Bundles the chat page. What a page without code or formulas does not need is in files of its own.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Page } from '../bundle.mjs';

const root = dirname(fileURLToPath(import.meta.url));
const clients = join(root, '../../clients');
// The packages' sources take what the page has.
const own = (name) => [name, join(root, 'node_modules', name)];
const page = new Page(root);
const style = await page.bundle({ entryPoints: ['src/styles/page.css'] });
const script = await page.bundle({
  entryPoints: ['src/main.tsx'],
  alias: {
    '@causerie/assistant-ui': join(clients, 'assistant-ui/src/index.ts'),
    '@causerie/client': join(clients, 'client/src/index.ts'),
    '@causerie/client/replica': join(clients, 'client/src/replica/index.ts'),
    ...Object.fromEntries(['@assistant-ui/react', 'react'].map(own)),
  },
  define: { 'process.env.NODE_ENV': '"production"' },
  format: 'esm',
  jsx: 'automatic',
  splitting: true,
});
page.write({ script: script['src/main.tsx'], style: style['src/styles/page.css'] });
