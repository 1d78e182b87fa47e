import { CauserieError, createClient, type ChangeEvent, type Client, type ClientOptions } from '@causerie/client';
import { takePlace } from './places';
import { Subscription } from './socket';

/** How long the feed may take to begin before another way is tried, in milliseconds, if requests get through. */
const SLOW = 8000;

type Way = 'stream' | 'socket';
type Token = (refused: boolean) => string | Promise<string>;

/**
 * A client whose feed comes by an event stream or by a WebSocket: by a stream if there is a place for one, and by the
 * other way where one does not get through though requests do.
 */
export function createPageClient(url: string, token: Token): Client {
  let place: Promise<boolean> | undefined;
  let way: Way | undefined;
  let onOpen = (): void => {};
  const iterate: ClientOptions['iterate'] = (request) => ({
    [Symbol.asyncIterator]: () => new Subscription(request, { url, token, onOpen: () => onOpen() }),
  });
  const client = createClient({ url, token });
  const clients = { stream: client, socket: createClient({ url, token, iterate }) };

  async function* changes(since?: string, { signal, onConnection }: Parameters<Client['changes']>[1] = {}): AsyncGenerator<ChangeEvent, void, undefined> {
    way ??= (await (place ??= takePlace())) ? 'stream' : 'socket';
    while (!signal?.aborted) {
      const tried: Way = way;
      const attempt = new AbortController();
      const leave = (): void => attempt.abort(signal?.reason);
      signal?.addEventListener('abort', leave);
      let hasOpened = false;
      let hasBrought = false;
      // Whether it is the way that is blocked: then requests get through.
      const doubt = (): void => {
        if (hasBrought) return;
        const change = (): void => {
          if (hasBrought || attempt.signal.aborted) return;
          way = tried === 'stream' ? 'socket' : 'stream';
          attempt.abort();
        };
        void client.viewer({ signal: attempt.signal }).then(change, () => {});
      };
      let timer = setTimeout(doubt, SLOW);
      onOpen = () => {
        clearTimeout(timer);
        hasOpened = true;
        if (!attempt.signal.aborted) onConnection?.(true);
      };
      const told = (isConnected: boolean, error?: unknown): void => {
        // A socket says itself when it is there.
        if (isConnected) return tried === 'stream' ? onOpen() : undefined;
        onConnection?.(false, error);
        // What worked until now was cut by something else, unless it was never more than an open connection.
        if (!hasOpened || isSilence(error)) doubt();
        hasOpened = false;
        clearTimeout(timer);
        timer = setTimeout(doubt, SLOW);
      };
      try {
        for await (const change of clients[tried].changes(since, { signal: attempt.signal, onConnection: told })) {
          hasBrought = true;
          since = change.cursor;
          yield change;
        }
        return;
      } catch (error) {
        if (signal?.aborted || !attempt.signal.aborted) throw error;
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', leave);
      }
    }
  }

  return { ...client, changes };
}

/** Whether a connection was given up because nothing came. */
function isSilence(error: unknown): boolean {
  return error instanceof CauserieError && error.cause instanceof DOMException && error.cause.name === 'AbortError';
}
