// The real server, with users who are made here: one for each file of tests, as files may share a database.
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '../server.mjs';
import { startProxy } from './proxy.mjs';

const { CAUSERIE_BINARY, CAUSERIE_DATABASE } = process.env;
const secret = randomBytes(32).toString('hex');

/** A token for a user, good for so many seconds. */
export function tokenFor(user, seconds = 3600) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: user, exp })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function startOn(database, settings) {
  return start(CAUSERIE_BINARY, database, { CAUSERIE_AUTH_SECRET: secret, ...settings });
}

/** A server, and a user of it. */
export async function startServer(settings) {
  const server = await startOn(CAUSERIE_DATABASE || undefined, settings);
  const user = `user-${randomUUID()}`;
  return { url: server.url, user, token: tokenFor(user), stop: () => server.stop() };
}

/** What of a reply is lost when its server dies is written anew soon. */
const CLUSTER = { CAUSERIE_REPLY_LEASE: '2s', CAUSERIE_REPLY_ATTEMPTS: '5' };

/** Servers behind one address: two of them on PostgreSQL. An SQLite file has one, so that the next takes its place. */
export async function startCluster(settings) {
  const directory = mkdtempSync(join(tmpdir(), 'causerie-packages-'));
  const database = CAUSERIE_DATABASE || `sqlite://${join(directory, 'causerie.db')}?mode=rwc`;
  const begin = () => startOn(database, { ...CLUSTER, ...settings });
  const servers = [await begin()];
  if (CAUSERIE_DATABASE) servers.push(await begin());
  const proxy = await startProxy(...servers.map(({ url }) => url));
  const user = `user-${randomUUID()}`;
  return {
    url: proxy.url,
    token: tokenFor(user),
    /** Kills the server that has been there the longest, and starts another one. */
    async kill() {
      const { child, ended, discard } = servers.shift();
      child.kill('SIGKILL');
      await ended;
      process.off('exit', discard);
      proxy.targets = servers.map(({ url }) => url);
      servers.push(await begin());
      proxy.targets = servers.map(({ url }) => url);
    },
    async stop() {
      proxy.close();
      await Promise.all(servers.map((server) => server.stop()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
