// Bundles the chat page. What a page without code or formulas does not need is in files of its own.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Page } from '../bundle.mjs';

const root = dirname(fileURLToPath(import.meta.url));
const client = join(root, '../../clients/client/src');
const page = new Page(root);
const style = await page.bundle({ entryPoints: ['src/styles/page.css'] });
const script = await page.bundle({
  entryPoints: ['src/main.tsx'],
  alias: { '@causerie/client': join(client, 'index.ts'), '@causerie/client/replica': join(client, 'replica/index.ts') },
  define: { 'process.env.NODE_ENV': '"production"' },
  format: 'esm',
  jsx: 'automatic',
  splitting: true,
});
page.write({ script: script['src/main.tsx'], style: style['src/styles/page.css'] });
