// Bundles a page into its dist/: index.html, and assets/ with a hash of its content in each name, compressed in both of
// the ways that browsers read. The server's build embeds dist/ as it is, so that no server ever runs Node.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

export class Page {
  #root;
  #dist;
  #esbuild;
  #contents = new Map();
  #packages = new Set();

  /** The page in the folder `root`, bundled by the esbuild that is installed there. */
  constructor(root) {
    this.#root = root;
    this.#dist = join(root, 'dist');
    this.#esbuild = createRequire(join(root, 'package.json'))('esbuild');
  }

  /** Builds one bundle, keeps its files for writing, and names its entry points' outputs. */
  async bundle(options) {
    const { metafile, outputFiles } = await this.#esbuild.build({
      absWorkingDir: this.#root,
      bundle: true,
      chunkNames: '[name]-[hash]',
      entryNames: '[name]-[hash]',
      legalComments: 'none',
      logLevel: 'warning',
      metafile: true,
      minify: true,
      outdir: join(this.#dist, 'assets'),
      target: 'es2022',
      write: false,
      ...options,
    });
    for (const { path, contents: bytes } of outputFiles) this.#contents.set(basename(path), bytes);
    for (const path of Object.keys(metafile.inputs)) {
      const directory = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
      if (directory) this.#packages.add(directory);
    }
    const outputs = Object.entries(metafile.outputs);
    return Object.fromEntries(
      outputs.filter(([, { entryPoint }]) => entryPoint).map(([path, { entryPoint }]) => [entryPoint, basename(path)]),
    );
  }

  /** The licences of everything that is in the bundle, as they ask to be kept with it. */
  #licences() {
    const texts = [...this.#packages].sort().map((directory) => {
      const { name, version, license } = JSON.parse(readFileSync(join(this.#root, directory, 'package.json'), 'utf8'));
      const files = readdirSync(join(this.#root, directory)).filter((file) => /^(licen[cs]e|notice|thirdparty)/i.test(file));
      const text = files.map((file) => readFileSync(join(this.#root, directory, file), 'utf8').trim()).join('\n\n');
      return `${name} ${version} (${license})\n\n${text}\n`;
    });
    return texts.join(`\n${'-'.repeat(100)}\n\n`);
  }

  /** Writes dist/ anew: what was bundled, and index.html with the files' `names` in the places of `{{…}}`. */
  write(names) {
    const licences = this.#licences();
    const licenceFile = `licences-${createHash('sha256').update(licences).digest('hex').slice(0, 8)}.txt`;
    this.#contents.set(licenceFile, Buffer.from(licences));

    const dist = this.#dist;
    for (const name of readdirSync(dist)) if (name !== '.gitignore') rmSync(join(dist, name), { recursive: true });
    mkdirSync(join(dist, 'assets'));
    for (const [name, bytes] of this.#contents) {
      writeFileSync(join(dist, 'assets', `${name}.gz`), gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }));
      writeFileSync(join(dist, 'assets', `${name}.br`), brotliCompressSync(bytes));
    }
    const template = readFileSync(join(this.#root, 'index.html'), 'utf8');
    const all = { licences: licenceFile, ...names };
    // `{{page}}` stays: the server writes what the page opens with there.
    writeFileSync(join(dist, 'index.html'), template.replace(/\{\{(\w+)\}\}/g, (placeholder, name) => all[name] ?? placeholder));
  }
}
