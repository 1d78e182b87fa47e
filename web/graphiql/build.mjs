// Bundles the page into dist/: index.html, and assets/ with a hash of its content in each name, compressed.
// The server's build embeds dist/ as it is, so that no server ever runs Node.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');
const common = {
  absWorkingDir: root,
  bundle: true,
  entryNames: '[name]-[hash]',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  minify: true,
  target: 'es2022',
  write: false,
};
const contents = new Map();
const packages = new Set();

/** Builds one bundle, keeps its files for writing, and names its entry points' outputs. */
async function bundle(options) {
  const { metafile, outputFiles } = await build({ ...common, outdir: join(dist, 'assets'), ...options });
  for (const { path, contents: bytes } of outputFiles) contents.set(basename(path), bytes);
  for (const path of Object.keys(metafile.inputs)) {
    const directory = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
    if (directory) packages.add(directory);
  }
  const outputs = Object.entries(metafile.outputs);
  return Object.fromEntries(
    outputs.filter(([, { entryPoint }]) => entryPoint).map(([path, { entryPoint }]) => [entryPoint, basename(path)]),
  );
}

/** The licences of everything that is in the bundle, as they ask to be kept with it. */
function licences() {
  const texts = [...packages].sort().map((directory) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8'));
    const files = readdirSync(join(root, directory)).filter((file) => /^(licen[cs]e|notice|thirdparty)/i.test(file));
    const text = files.map((file) => readFileSync(join(root, directory, file), 'utf8').trim()).join('\n\n');
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return texts.join(`\n${'-'.repeat(100)}\n\n`);
}

const workers = {
  editor: 'node_modules/monaco-editor/esm/vs/editor/editor.worker.js',
  graphql: 'node_modules/monaco-graphql/esm/graphql.worker.js',
  json: 'node_modules/monaco-editor/esm/vs/language/json/json.worker.js',
};
const workerFiles = await bundle({ entryPoints: workers, entryNames: '[name].worker-[hash]', format: 'iife' });
const workerUrls = Object.fromEntries(
  Object.entries(workers).map(([label, entryPoint]) => [label, `./${workerFiles[entryPoint]}`]),
);

const style = await bundle({ entryPoints: ['src/page.css'] });
const script = await bundle({
  entryPoints: ['src/main.tsx'],
  chunkNames: '[name]-[hash]',
  define: { WORKERS: JSON.stringify(workerUrls), 'process.env.NODE_ENV': '"production"' },
  format: 'esm',
  jsx: 'automatic',
  // GraphiQL's style sheet holds Monaco's: the ones that Monaco's modules import would be a second copy.
  loader: { '.css': 'empty', '.graphql': 'text' },
  splitting: true,
});

const licenceText = licences();
const licenceFile = `licences-${createHash('sha256').update(licenceText).digest('hex').slice(0, 8)}.txt`;
contents.set(licenceFile, licenceText);

for (const name of readdirSync(dist)) if (name !== '.gitignore') rmSync(join(dist, name), { recursive: true });
mkdirSync(join(dist, 'assets'));
for (const [name, bytes] of contents) {
  writeFileSync(join(dist, 'assets', `${name}.gz`), gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }));
}
const template = readFileSync(join(root, 'index.html'), 'utf8');
const names = { licences: licenceFile, script: script['src/main.tsx'], style: style['src/page.css'] };
// `{{page}}` stays: the server writes what the page opens with there.
const page = template.replace(/\{\{(\w+)\}\}/g, (placeholder, name) => names[name] ?? placeholder);
writeFileSync(join(dist, 'index.html'), page);
