// Bundles GraphiQL with its editor's workers.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Page } from '../bundle.mjs';

const page = new Page(dirname(fileURLToPath(import.meta.url)));
const workers = {
  editor: 'node_modules/monaco-editor/esm/vs/editor/editor.worker.js',
  graphql: 'node_modules/monaco-graphql/esm/graphql.worker.js',
  json: 'node_modules/monaco-editor/esm/vs/language/json/json.worker.js',
};
const workerFiles = await page.bundle({ entryPoints: workers, entryNames: '[name].worker-[hash]', format: 'iife' });
const workerUrls = Object.fromEntries(
  Object.entries(workers).map(([label, entryPoint]) => [label, `./${workerFiles[entryPoint]}`]),
);

const style = await page.bundle({ entryPoints: ['src/page.css'] });
const script = await page.bundle({
  entryPoints: ['src/main.tsx'],
  define: { WORKERS: JSON.stringify(workerUrls), 'process.env.NODE_ENV': '"production"' },
  format: 'esm',
  jsx: 'automatic',
  // GraphiQL's style sheet holds Monaco's: the ones that Monaco's modules import would be a second copy.
  loader: { '.css': 'empty', '.graphql': 'text' },
  splitting: true,
});
page.write({ script: script['src/main.tsx'], style: style['src/page.css'] });
