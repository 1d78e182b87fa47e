import { hasCode, isRetryable, CauserieError } from './error.js';

/** Waits, unless the signal is aborted first. */
export function delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

/** How long to wait before the next attempt: longer each time, up to ten seconds, and not all clients at once. */
export function backoff(attempt: number, error?: unknown): number {
  const asked = error instanceof CauserieError ? error.retryAfter : undefined;
  return Math.max(asked ?? 0, Math.min(10_000, 250 * 2 ** attempt) * (0.5 + Math.random() / 2));
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
  for (let attempt = 0; ; attempt += 1) {
    let hasBegun = false;
    try {
      for await (const event of open(after, () => onConnection?.(true))) {
        hasBegun = true;
        attempt = 0;
        after = event.cursor;
        yield event;
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      // A token that has expired in the middle is renewed; one that was refused at once is not.
      const mayResume = isRetryable(error) || (hasBegun && hasCode(error, 'UNAUTHENTICATED'));
      onConnection?.(false, error);
      if (!mayResume) throw error;
      await delay(backoff(attempt, error), signal);
    }
  }
}
