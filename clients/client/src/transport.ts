// GraphQL over HTTP, and over event streams in the "distinct connections" mode of graphql-sse.
import { CauserieError, hasCode, isRetryable } from './error.js';
import type { ClientOptions, GraphQLRequest, GraphQLResult } from './interface.js';

export interface Transport {
  /** The `data` of the answer. After `timeout` milliseconds, unless it is 0, the request counts as lost. */
  run(request: GraphQLRequest, signal: AbortSignal | undefined, timeout: number): Promise<unknown>;
  /** Yields the `data` of each event of one connection, and says when that is there. */
  stream(request: GraphQLRequest, signal?: AbortSignal, onOpen?: () => void): AsyncGenerator<unknown, void, undefined>;
}

/** Characters of an event: more than the server sends, and no more than a page can bear. */
const EVENT_LIMIT = 2 ** 26;

export function createTransport({ url, token, iterate, blockedAfter, silence = 30_000, ...options }: ClientOptions): Transport {
  const request = options.fetch ?? ((...of: Parameters<typeof fetch>) => globalThis.fetch(...of));
  /** The token that was used last, whether the server has refused it, and its renewal. */
  let last = '';
  let wasRefused = false;
  let renewal: Promise<string> | undefined;
  /** Whether `iterate` carries the streams. */
  let isIterating = !blockedAfter;

  /** The token to use. One renewal serves all requests that were refused. */
  async function authorize(): Promise<string> {
    if (typeof token !== 'function') return (last = token ?? '');
    if (!wasRefused) return (last = await token(false));
    renewal ??= (async () => token(true))().finally(() => (renewal = undefined));
    last = await renewal;
    wasRefused = false;
    return last;
  }

  function post(body: GraphQLRequest, accept: string, used: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { accept, 'content-type': 'application/json' };
    if (used) headers['authorization'] = `Bearer ${used}`;
    return request(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
  }

  /** The `data` of an answer. What was refused is an error, and so is what a proxy says in the server's place. */
  function take(answer: unknown, used: string, { status, headers }: { status: number; headers?: Headers } = { status: 0 }): unknown {
    const { data, errors } = Object(answer) as GraphQLResult;
    const [error] = Array.isArray(errors) ? (errors as NonNullable<GraphQLResult['errors']>) : [];
    if (!error && Object(data) === data) return complete(data);
    const { code, ...extensions } = {
      ...(error
        ? { code: 'INTERNAL_SERVER_ERROR' }
        : { code: codeOf(status), status, retryAfter: Number(headers?.get('retry-after')) || undefined }),
      ...error?.extensions,
    };
    // Another request may have got a new token since.
    if (code === 'UNAUTHENTICATED' && used === last) wasRefused = true;
    throw new CauserieError(String(error?.message ?? `HTTP ${status}`), String(code), extensions);
  }

  async function read(response: Response, used: string): Promise<unknown> {
    const answer: unknown = await response.json().catch((error: unknown) => {
      if (!(error instanceof SyntaxError)) throw error;
    });
    return take(answer, used, response);
  }

  /** Takes the other way for streams if this one has failed though requests get through: then it is not the server. */
  async function doubt(signal: AbortSignal | undefined): Promise<void> {
    if (!iterate || blockedAfter === undefined || signal?.aborted) return;
    const other = !isIterating;
    const isThrough = await once({ query: '{ viewer { id } }' }, signal, blockedAfter || silence).then(
      () => true,
      (error: unknown) => !signal?.aborted && !isRetryable(error),
    );
    if (isThrough) isIterating = other;
  }

  async function* iterated(body: GraphQLRequest, signal?: AbortSignal, onOpen?: () => void): AsyncGenerator<unknown, void, undefined> {
    const iterable = iterate!(body);
    const results = iterable[Symbol.asyncIterator]();
    const end = () => void results.return?.();
    signal?.addEventListener('abort', end);
    let isHeard = false;
    const hear = () => {
      isHeard = true;
      if (!signal?.aborted) onOpen?.();
    };
    if (iterable.opened) iterable.opened.then(hear, () => {});
    else onOpen?.();
    try {
      for await (const result of { [Symbol.asyncIterator]: () => results }) {
        isHeard = true;
        yield take(result, last);
      }
      signal?.throwIfAborted();
    } catch (error) {
      // What `graphql-ws` throws for a refused operation is its list of errors.
      if (Array.isArray(error)) take({ errors: error }, last);
      if (!isHeard) await doubt(signal);
      throw told(error, signal);
    } finally {
      signal?.removeEventListener('abort', end);
    }
  }

  async function* open(body: GraphQLRequest, signal?: AbortSignal, onOpen?: () => void): AsyncGenerator<unknown, void, undefined> {
    if (iterate && isIterating) return yield* iterated(body, signal, onOpen);
    const limit = limited(signal);
    let isHeard = false;
    try {
      const used = await authorize();
      limit.within((iterate && blockedAfter) || silence);
      const response = await post(body, 'text/event-stream, application/json;q=0.5', used, limit.signal);
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
        yield await read(response, used);
        return;
      }
      onOpen?.();
      const reader = response.body!.getReader();
      // Also where a `fetch` of one's own gives a body that does not heed the signal.
      limit.signal.addEventListener('abort', () => void reader.cancel().catch(() => {}));
      const decoder = new TextDecoder();
      // Kept apart until an event is complete, so that one of many chunks is not searched again with each of them.
      let chunks: string[] = [];
      let size = 0;
      for (let end = ''; ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        isHeard = true;
        limit.within(silence);
        const chunk = decoder.decode(value, { stream: true });
        chunks.push(chunk);
        if ((size += chunk.length) > EVENT_LIMIT) throw new CauserieError('An event is too large.', 'ANSWER_TOO_LARGE');
        if ((end + chunk).includes('\n\n')) {
          const events = chunks.join('').split('\n\n');
          const rest = events.pop()!;
          chunks = [rest];
          size = rest.length;
          for (const event of events) {
            let data = '';
            // Not by `^` and `$` of several lines, for which a line also ends where a text has U+2028.
            for (const line of event.split('\n')) {
              if (/^event: ?complete$/.test(line)) return;
              if (line.startsWith('data:')) data = line.slice(5);
            }
            if (data.trim()) yield take(JSON.parse(data), used);
          }
        }
        end = chunk.slice(-1) || end;
      }
      throw new CauserieError('The connection has ended early.', 'NETWORK');
    } catch (error) {
      if (!isHeard && !(error instanceof CauserieError)) await doubt(signal);
      throw told(error, signal);
    } finally {
      limit.end();
    }
  }

  async function once(body: GraphQLRequest, signal: AbortSignal | undefined, timeout: number): Promise<unknown> {
    const limit = limited(signal);
    try {
      limit.within(timeout);
      const used = await authorize();
      return await read(await post(body, 'application/json', used, limit.signal), used);
    } catch (error) {
      throw told(error, signal);
    } finally {
      limit.end();
    }
  }

  /** Whether a request was refused for its token and there is a way to get another one. */
  const mayRenew = (error: unknown) => hasCode(error, 'UNAUTHENTICATED') && typeof token === 'function';

  return {
    run: (body, signal, timeout) =>
      once(body, signal, timeout).catch((error: unknown) => {
        if (mayRenew(error)) return once(body, signal, timeout);
        throw error;
      }),
    async *stream(body, signal, onOpen) {
      let hasBegun = false;
      try {
        for await (const data of open(body, signal, onOpen)) {
          hasBegun = true;
          yield data;
        }
      } catch (error) {
        if (hasBegun || !mayRenew(error)) throw error;
        yield* open(body, signal, onOpen);
      }
    },
  };
}

/** A signal that follows another one, and is also aborted when time is up. */
function limited(signal?: AbortSignal) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  return {
    signal: controller.signal,
    within(milliseconds: number) {
      clearTimeout(timer);
      if (milliseconds) timer = setTimeout(abort, milliseconds);
    },
    end() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      abort();
    },
  };
}

/** What has gone wrong: an abortion as it is, anything that is not the server's word as a lost connection. */
function told(error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  return error instanceof CauserieError ? error : new CauserieError('The server cannot be reached.', 'NETWORK', {}, { cause: error });
}

/** What an answer means that is not the server's own. Only a refusal for good is not worth another attempt. */
function codeOf(status: number): string {
  if (status === 401) return 'UNAUTHENTICATED';
  return status >= 400 && status < 500 && status !== 408 && status !== 429 ? 'BAD_REQUEST' : 'UNAVAILABLE';
}

/** Gives each message among the rows its `content`, which is the texts of its parts. */
function complete<Value>(value: Value): Value {
  if (Array.isArray(value)) value.forEach(complete);
  else if (value && typeof value === 'object') {
    const row = value as Record<string, unknown>;
    for (const field in row) if (field !== 'metadata') complete(row[field]);
    if (Array.isArray(row['parts'])) row['content'] ??= textOf(row['parts']);
  }
  return value;
}

function textOf(parts: readonly { readonly __typename: string; readonly text?: string }[]): string {
  return parts.map(({ __typename, text }) => (__typename === 'TextPart' ? text : '')).join('');
}
