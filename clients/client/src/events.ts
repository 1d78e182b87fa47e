import { CauserieError } from './error.js';

/** Bytes of an event: more than the server sends, and no more than a page can bear. */
const EVENT_LIMIT = 2 ** 26;

/** The JSON that the events of a stream carry, to the one that ends it. `onBytes` is called with whatever comes. */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onBytes: () => void,
): AsyncGenerator<unknown, void, undefined> {
  const reader = body.getReader();
  // Also where a `fetch` of one's own gives a body that does not heed the signal.
  signal.addEventListener('abort', () => void reader.cancel().catch(() => {}));
  const decoder = new TextDecoder();
  // The line that has not ended, in pieces: one of many chunks is not searched again with each of them.
  let pieces: string[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new CauserieError('The connection has ended early.', 'NETWORK');
    onBytes();
    const lines = decoder.decode(value, { stream: true }).split('\n');
    size = lines.length > 1 ? 0 : size + value.length;
    if (size > EVENT_LIMIT) throw new CauserieError('An event is too large.', 'ANSWER_TOO_LARGE');
    for (const [index, piece] of lines.entries()) {
      if (index > 0) {
        const line = pieces.join('');
        pieces = [];
        if (/^event: ?complete\r?$/.test(line)) return;
        const data = line.startsWith('data:') && line.slice(5).trim();
        if (data) yield JSON.parse(data);
      }
      pieces.push(piece);
    }
  }
}
