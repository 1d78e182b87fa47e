// The real server, on a database of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const limit = 30_000;

/** Starts `binary` on a free port (unless `settings` have `CAUSERIE_LISTEN`), on `database` or else a new SQLite file,
 * with more `settings` from the environment, and resolves when it says where it listens. Without `--dev` among the
 * `flags` it prints no token. */
export async function start(binary, database, settings, flags = ['--dev']) {
  const directory = mkdtempSync(join(tmpdir(), 'causerie-clients-'));
  const inherited = Object.entries(process.env).filter(([name]) => !/^(CAUSERIE_|DATABASE_URL$|NODE_)/.test(name));
  const child = spawn(binary, ['serve', ...flags], {
    cwd: directory,
    env: {
      ...Object.fromEntries(inherited),
      CAUSERIE_LISTEN: '127.0.0.1:0',
      DATABASE_URL: database ?? `sqlite://${join(directory, 'causerie.db')}?mode=rwc`,
      // The suites are one user, who is in a hurry.
      CAUSERIE_USER_RATE: '0',
      CAUSERIE_ADDRESS_RATE: '0',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const server = new Server(child, directory, flags.includes('--dev'));
  try {
    await server.ready();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class Server {
  /** Everything that the server has printed, for a report of a failure. */
  output = '';

  constructor(child, directory, hasToken) {
    this.child = child;
    this.hasToken = hasToken;
    this.ended = once(child, 'exit').then(([code, signal]) => code ?? signal);
    // Whatever ends the run takes the server along.
    this.discard = () => {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    };
    process.once('exit', this.discard);
  }

  async ready() {
    const announced = new Promise((resolve) => {
      const read = (text) => {
        this.output += text;
        this.url = /listening on (http:\S+)/.exec(this.output)?.[1];
        this.token = /^\s*token\s+(\S+)\s*$/m.exec(this.output)?.[1];
        if (this.url && (this.token || !this.hasToken)) resolve();
      };
      for (const stream of [this.child.stdout, this.child.stderr]) stream.setEncoding('utf8').on('data', read);
    });
    const failed = this.ended.then((end) => {
      throw new Error(`the server ended with ${end}:\n${this.output}`);
    });
    const late = delay(limit, undefined, { ref: false }).then(() => {
      throw new Error(`the server did not say its address and a token:\n${this.output}`);
    });
    // Only the first to settle counts; the others may fail later.
    for (const end of [failed, late]) end.catch(() => {});
    await Promise.race([announced, failed, late]);
  }

  /** Asks the server to stop, and resolves to its exit code, or to the signal that it needed. */
  async stop() {
    this.child.kill('SIGTERM');
    const patience = setTimeout(() => this.child.kill('SIGKILL'), limit);
    const end = await this.ended;
    clearTimeout(patience);
    process.off('exit', this.discard);
    this.discard();
    return end;
  }
}
