// GraphQL over HTTP, and over event streams in the "distinct connections" mode of graphql-sse.
import { CauserieError, hasCode } from './error.js';
import type { ClientOptions, GraphQLRequest, GraphQLResult } from './interface.js';

export interface Transport {
  run(request: GraphQLRequest, signal?: AbortSignal): Promise<unknown>;
  /** Yields the `data` of each event of one connection, and says when that is there. */
  stream(request: GraphQLRequest, signal?: AbortSignal, onOpen?: () => void): AsyncGenerator<unknown, void, undefined>;
}

export function createTransport(options: ClientOptions): Transport {
  const { url, token, iterate, silence = 30_000 } = options;
  const request = options.fetch ?? ((...of: Parameters<typeof fetch>) => globalThis.fetch(...of));
  let wasRefused = false;

  async function post(body: GraphQLRequest, accept: string, signal: AbortSignal | null): Promise<Response> {
    const headers: Record<string, string> = { accept, 'content-type': 'application/json' };
    const current = typeof token === 'function' ? await token(wasRefused) : token;
    if (current) headers['authorization'] = `Bearer ${current}`;
    wasRefused = false;
    try {
      return await request(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
    } catch (error) {
      throw lost(error, signal);
    }
  }

  /** The `data` of an answer; what was refused is an error. */
  function take({ data, errors }: GraphQLResult): unknown {
    const [error] = errors ?? [];
    if (!error) return complete(data);
    const { code, ...extensions } = error.extensions ?? {};
    wasRefused = code === 'UNAUTHENTICATED';
    throw new CauserieError(error.message, String(code ?? 'INTERNAL_SERVER_ERROR'), extensions);
  }

  async function read(response: Response, signal: AbortSignal | null): Promise<unknown> {
    let body: unknown;
    try {
      body = await response.json();
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw lost(error, signal);
    }
    const result = body as GraphQLResult | undefined;
    if (result && (result.errors || result.data !== undefined)) return take(result);
    // Not the server's own: what a proxy says.
    const code = response.status === 401 ? 'UNAUTHENTICATED' : response.status >= 500 || response.status === 429 ? 'UNAVAILABLE' : 'BAD_REQUEST';
    return take({ errors: [{ message: `HTTP ${response.status}`, extensions: { code, status: response.status } }] });
  }

  async function* open(
    body: GraphQLRequest,
    signal?: AbortSignal,
    onOpen?: () => void,
  ): AsyncGenerator<unknown, void, undefined> {
    if (iterate) {
      onOpen?.();
      const results = iterate(body)[Symbol.asyncIterator]();
      const end = () => void results.return?.();
      signal?.addEventListener('abort', end);
      try {
        for await (const result of { [Symbol.asyncIterator]: () => results }) yield take(result);
        signal?.throwIfAborted();
      } catch (error) {
        signal?.throwIfAborted();
        // What `graphql-ws` throws for a refused operation is its list of errors.
        if (Array.isArray(error)) take({ errors: error as NonNullable<GraphQLResult['errors']> });
        throw error instanceof CauserieError ? error : lost(error, null);
      } finally {
        signal?.removeEventListener('abort', end);
      }
      return;
    }
    const controller = new AbortController();
    const abort = () => controller.abort(signal?.reason);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listen = () => {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), silence);
    };
    try {
      listen();
      const response = await post(body, 'text/event-stream, application/json;q=0.5', controller.signal);
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
        yield await read(response, controller.signal);
        return;
      }
      onOpen?.();
      const reader = response.body!.getReader();
      // Also where a `fetch` of one's own gives a body that does not heed the signal.
      controller.signal.addEventListener('abort', () => void reader.cancel().catch(() => {}));
      const decoder = new TextDecoder();
      for (let text = ''; ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        listen();
        const events = (text + decoder.decode(value, { stream: true })).split('\n\n');
        text = events.pop()!;
        for (const event of events) {
          if (/^event: ?complete$/m.test(event)) return;
          const data = /^data: ?(.+)$/m.exec(event)?.[1];
          if (data) yield take(JSON.parse(data) as GraphQLResult);
        }
      }
      throw new CauserieError('The connection has ended early.', 'NETWORK');
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof CauserieError ? error : lost(error, null);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      controller.abort();
    }
  }

  /** Runs a request again if it was refused for its token and there is a way to get another one. */
  const mayRenew = (error: unknown) => hasCode(error, 'UNAUTHENTICATED') && typeof token === 'function';

  return {
    async run(body, signal = undefined) {
      const once = async () => read(await post(body, 'application/json', signal ?? null), signal ?? null);
      return once().catch((error: unknown) => {
        if (mayRenew(error)) return once();
        throw error;
      });
    },
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

/** What `fetch` throws: an abortion as it is, anything else as a lost connection. */
function lost(error: unknown, signal: AbortSignal | null): unknown {
  if (signal?.aborted && signal.reason !== undefined) return signal.reason;
  return new CauserieError('The server cannot be reached.', 'NETWORK', {}, { cause: error });
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
