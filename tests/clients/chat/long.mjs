// A conversation that is as long as one likes, on a server of its own.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { start } from '../server.mjs';

const fill = fileURLToPath(new URL('fill.py', import.meta.url));

/** Makes a database with one conversation of the developer's, and tells its address and the conversation's id. */
export async function longConversation(count, binary = process.env.CAUSERIE_BINARY) {
  const directory = mkdtempSync(join(tmpdir(), 'causerie-chat-'));
  const path = join(directory, 'causerie.db');
  const database = `sqlite://${path}?mode=rwc`;
  // A server makes the tables; the rows are quicker without one.
  await (await start(binary, database)).stop();
  const id = execFileSync('python3', [fill, path, 'dev', String(count)], { encoding: 'utf8' }).trim();
  return { database, id, discard: () => rmSync(directory, { recursive: true, force: true }) };
}

/**
 * Scrolls a viewport by steps of `distance` pixels until a message with `text` is in the page. It tells by how much any
 * message has jumped, how long each frame took, and how many messages the page has held at most. It runs in the page.
 */
export async function scroll({ text, distance }) {
  const box = document.querySelector('.viewport');
  const shown = () => [...box.querySelectorAll('[data-message]')];
  const places = () => new Map(shown().map((it) => [it.dataset.message, it.getBoundingClientRect().top]));
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const frames = [];
  let [jump, held] = [0, 0];
  for (let turn = 0; turn < 50_000; turn += 1) {
    if (shown().some((it) => it.querySelector('.bubble, .markdown')?.textContent.startsWith(text))) {
      return { jump, held, frames };
    }
    const [before, from] = [places(), box.scrollTop];
    const room = box.scrollHeight - box.clientHeight;
    const begun = performance.now();
    box.scrollBy(0, distance);
    const moved = Math.max(0, Math.min(room, from + distance)) - from;
    await frame();
    const middle = performance.now();
    await frame();
    frames.push(middle - begun, performance.now() - middle);
    for (const [key, top] of places()) {
      if (before.has(key)) jump = Math.max(jump, Math.abs(top - (before.get(key) - moved)));
    }
    held = Math.max(held, before.size);
  }
  throw new Error(`${text} was not reached`);
}
