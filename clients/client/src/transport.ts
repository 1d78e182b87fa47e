// GraphQL over HTTP, and over event streams in the "distinct connections" mode of graphql-sse.
import { CauserieError, hasCode, isRetryable } from './error.js';
import { eventsOf } from './events.js';
import type { ClientOptions, GraphQLRequest, GraphQLResult } from './interface.js';
import { createLimit, type Limit } from './limit.js';

export interface Transport {
  /** The `data` of the answer. After `timeout` milliseconds, unless it is 0, the request counts as lost. */
  run(request: GraphQLRequest, signal: AbortSignal | undefined, timeout: number): Promise<unknown>;
  /** Yields the `data` of each event of one connection, and says when that is there. */
  stream(request: GraphQLRequest, signal?: AbortSignal, onOpen?: () => void): Results;
}

type Results = AsyncGenerator<unknown, void, undefined>;

/** How long an event stream may take to begin, in milliseconds; at first less, if the one before has fallen silent. */
const OPENING = 10_000;
const REOPENING = 1000;

export function createTransport({ url, token, fetch: given, iterate, blockedAfter, silence = 30_000 }: ClientOptions): Transport {
  /** The token that was used last, whether the server has refused it, and its renewal. */
  let last = '';
  let wasRefused = false;
  let renewal: Promise<string> | undefined;
  /** Whether `iterate` carries the streams. */
  let isIterating = !blockedAfter;
  const usual = Math.min((iterate && blockedAfter) || OPENING, silence);
  let opening = usual;

  /** The token to use. One renewal serves all requests that were refused. */
  async function authorize(): Promise<string> {
    if (typeof token !== 'function') return (last = token ?? '');
    if (!wasRefused) return (last = await token(false));
    renewal ??= (async () => token(true))().finally(() => (renewal = undefined));
    last = await renewal;
    wasRefused = false;
    return last;
  }

  /** The `data` of an answer. What was refused is an error, and so is what a proxy says in the server's place. */
  function take(answer: unknown, used: string, response?: Response): unknown {
    const { data, errors } = Object(answer) as GraphQLResult;
    const [error] = Array.isArray(errors) ? (errors as NonNullable<GraphQLResult['errors']>) : [];
    if (!error && Object(data) === data) return complete(data);
    const { status = 0, headers } = response ?? {};
    const { code, ...extensions } = error
      ? { code: 'INTERNAL_SERVER_ERROR', ...error.extensions }
      : { code: codeOf(status), status, retryAfter: Number(headers?.get('retry-after')) || undefined };
    // Another request may have got a new token since.
    if (code === 'UNAUTHENTICATED' && used === last) wasRefused = true;
    throw new CauserieError(String(error?.message ?? `HTTP ${status}`), String(code), extensions);
  }

  /** Takes the other way for streams if this one has failed though requests get through: then it is not the server. */
  async function doubt(signal: AbortSignal | undefined): Promise<void> {
    if (!iterate || blockedAfter === undefined) return;
    const other = !isIterating;
    const isThrough = await run({ query: '{ viewer { id } }' }, signal, blockedAfter || silence).then(
      () => true,
      (error: unknown) => !signal?.aborted && !isRetryable(error),
    );
    if (isThrough) isIterating = other;
  }

  async function* iterated(body: GraphQLRequest, signal: AbortSignal, onHeard: () => void, onOpen: () => void): Results {
    const iterable = iterate!(body);
    const results = iterable[Symbol.asyncIterator]();
    signal.addEventListener('abort', () => void results.return?.());
    if (iterable.opened) {
      const hear = () => {
        onHeard();
        if (!signal.aborted) onOpen();
      };
      iterable.opened.then(hear, () => {});
    } else onOpen();
    try {
      for await (const result of { [Symbol.asyncIterator]: () => results }) {
        onHeard();
        yield take(result, last);
      }
    } catch (error) {
      // What `graphql-ws` throws for a refused operation is its list of errors.
      if (Array.isArray(error)) take({ errors: error }, last);
      throw error;
    }
    signal.throwIfAborted();
  }

  async function* fetched(
    body: GraphQLRequest,
    { signal, aborted, within }: Limit,
    timeout: number | undefined,
    onHeard: () => void,
    onOpen: () => void,
  ): Results {
    const accept = timeout === undefined ? 'text/event-stream, application/json;q=0.5' : 'application/json';
    // A token may be asked for over a connection that is dead, and a new one may take its time.
    within(timeout ?? silence);
    const used = (await Promise.race([authorize(), aborted])) as string;
    signal.throwIfAborted();
    if (timeout === undefined) within(opening);
    const response = await (given ?? fetch)(url, {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json', ...(used && { authorization: `Bearer ${used}` }) },
      body: JSON.stringify(body),
      signal,
    });
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
      const answer: unknown = await response.json().catch((error: unknown) => {
        if (!(error instanceof SyntaxError)) throw error;
      });
      return yield take(answer, used, response);
    }
    onOpen();
    const onBytes = () => {
      onHeard();
      within(silence);
    };
    for await (const data of eventsOf(response.body!, signal, onBytes)) yield take(data, used);
  }

  /** What one connection brings: the only answer within the timeout, or without one the events of a stream. */
  async function* connect(body: GraphQLRequest, signal: AbortSignal | undefined, timeout?: number, onOpen = () => {}): Results {
    const limit = createLimit(signal);
    const isStream = timeout === undefined;
    let isHeard = false;
    const onHeard = () => {
      isHeard = true;
      opening = usual;
    };
    try {
      if (isStream && iterate && isIterating) yield* iterated(body, limit.signal, onHeard, onOpen);
      else yield* fetched(body, limit, timeout, onHeard, onOpen);
    } catch (error) {
      if (isStream && !signal?.aborted) {
        const isSilent = limit.signal.aborted;
        // Other connections may be dead as well, such as those that a browser takes for what is asked next.
        if (isHeard) opening = isSilent ? Math.min(REOPENING, usual) : usual;
        else if (isSilent && opening < usual) opening = Math.min(2 * opening, usual);
        else if (isSilent || !(error instanceof CauserieError)) await doubt(signal);
      }
      throw told(error, signal);
    } finally {
      limit.end();
    }
  }

  /** The same, with a new token if the first one is refused. */
  async function* open(...request: Parameters<typeof connect>): Results {
    let hasBegun = false;
    try {
      for await (const data of connect(...request)) {
        hasBegun = true;
        yield data;
      }
    } catch (error) {
      if (hasBegun || !hasCode(error, 'UNAUTHENTICATED') || typeof token !== 'function') throw error;
      yield* connect(...request);
    }
  }

  async function run(...request: Parameters<Transport['run']>): Promise<unknown> {
    for await (const data of open(...request)) return data;
  }

  return { run, stream: (body, signal, onOpen) => open(body, signal, undefined, onOpen) };
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
