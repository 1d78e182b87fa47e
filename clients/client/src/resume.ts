import { hasCode, isRetryable, type CauserieError } from './error.js';
import { delay } from './limit.js';

/**
 * How long to wait before the next attempt: what the server asks for, up to a minute, and a time that grows up to ten
 * seconds and is another one for each client, so that they do not all come back at once.
 */
export function backoff(attempt: number, error?: unknown): number {
  const asked = (error as CauserieError | undefined)?.retryAfter || 0;
  return Math.min(Math.max(asked, 0), 60_000) + Math.min(10_000, 250 * 2 ** attempt) * (0.5 + Math.random() / 2);
}

/** Waits before each further attempt: longer each time, unless the one before had lasted. */
export function createPatience(signal: AbortSignal | undefined): (error: unknown) => Promise<void> {
  let attempt = 0;
  let began = Date.now();
  return async (error) => {
    // One word a connection must not count as success: those that break at once would be made again at once, for ever.
    if (Date.now() - began > 5000) attempt = 0;
    await delay(backoff(attempt, error), signal);
    attempt += 1;
    began = Date.now();
  };
}

/** Runs something up to three times, as long as the next attempt may succeed. */
export async function repeated<Result>(run: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
  const wait = createPatience(signal);
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (attempt === 2 || !isRetryable(error)) throw error;
      await wait(error);
    }
  }
}

/**
 * What `open` streams, over as many connections as it takes: each one continues after the last cursor. It ends when a
 * connection ends properly.
 */
export async function* resumed<Event extends { readonly cursor: string }>(
  open: (after: string | undefined, onOpen: () => void) => AsyncGenerator<Event, void, undefined>,
  after: string | undefined,
  signal: AbortSignal | undefined,
  onConnection?: (connected: boolean, error?: unknown) => void,
): AsyncGenerator<Event, void, undefined> {
  const wait = createPatience(signal);
  for (;;) {
    let hasBegun = false;
    try {
      for await (const event of open(after, () => onConnection?.(true))) {
        hasBegun = true;
        after = event.cursor;
        yield event;
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      onConnection?.(false, error);
      // A token that has expired in the middle is renewed; one that was refused at once is not.
      if (!isRetryable(error) && !(hasBegun && hasCode(error, 'UNAUTHENTICATED'))) throw error;
      await wait(error);
    }
  }
}
