import type { GraphQLRequest, GraphQLResult, GraphQLResults } from '@causerie/client';

/** How long the connection may take to be there, in milliseconds. */
const OPENING = 8000;
/** How often to ask whether the other side is still there, and how long to wait for any message, in milliseconds. */
const PING = 12_000;
const SILENCE = 30_000;

interface Options {
  url: string;
  token: (refused: boolean) => string | Promise<string>;
}

type Result = IteratorResult<GraphQLResult, undefined>;

/**
 * A subscription over a WebSocket of its own, in the protocol `graphql-transport-ws`: where event streams do not get
 * through, and beside those of other tabs, as browsers allow more sockets than other connections to a server.
 */
export class Subscription implements GraphQLResults, AsyncIterator<GraphQLResult, undefined> {
  static #wasRefused = false;

  /** Resolves when the server has accepted the connection. */
  readonly opened: Promise<void>;
  #open = (): void => {};
  readonly #results: GraphQLResult[] = [];
  #socket: WebSocket | undefined;
  #waiting: { resolve: (result: Result) => void; reject: (error: unknown) => void } | undefined;
  #end: { error?: unknown } | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(request: GraphQLRequest, options: Options) {
    this.opened = new Promise((resolve) => (this.#open = resolve));
    void this.#connect(request, options);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #connect(request: GraphQLRequest, { url, token }: Options): Promise<void> {
    try {
      const current = await token(Subscription.#wasRefused);
      Subscription.#wasRefused = false;
      if (this.#end) return;
      const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws');
      this.#socket = socket;
      const send = (message: object): void => {
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
      };
      this.#listen(OPENING);
      socket.onopen = () => send({ type: 'connection_init', payload: { authorization: `Bearer ${current}` } });
      socket.onmessage = ({ data }: MessageEvent<string>) => {
        this.#listen(SILENCE);
        const message = JSON.parse(data) as { type: string; payload?: unknown };
        if (message.type === 'connection_ack') {
          send({ type: 'subscribe', id: '1', payload: request });
          this.#ping = setInterval(() => send({ type: 'ping' }), PING);
          this.#open();
        } else if (message.type === 'next') this.#bring(message.payload as GraphQLResult);
        else if (message.type === 'error') this.#finish({ error: message.payload });
        else if (message.type === 'complete') this.#finish({});
        else if (message.type === 'ping') send({ type: 'pong' });
      };
      socket.onclose = ({ code, reason }) => {
        Subscription.#wasRefused = code === 4401 || code === 4403;
        const refusal = [{ message: reason, extensions: { code: 'UNAUTHENTICATED' } }];
        this.#finish({ error: Subscription.#wasRefused ? refusal : new Error(`The socket was closed: ${code}`) });
      };
    } catch (error) {
      this.#finish({ error });
    }
  }

  #listen(patience: number): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#finish({ error: new Error('The socket is silent.') }), patience);
  }

  #bring(result: GraphQLResult): void {
    if (this.#waiting) this.#waiting.resolve({ done: false, value: result });
    else this.#results.push(result);
    this.#waiting = undefined;
  }

  #finish(end: { error?: unknown }): void {
    if (this.#end) return;
    this.#end = end;
    clearInterval(this.#ping);
    clearTimeout(this.#silence);
    this.#socket?.close();
    if ('error' in end) this.#waiting?.reject(end.error);
    else this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = undefined;
  }

  next(): Promise<Result> {
    const value = this.#results.shift();
    if (value) return Promise.resolve({ done: false, value });
    if (!this.#end) return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
    const { error } = this.#end;
    this.#end = {};
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  return(): Promise<Result> {
    this.#finish({});
    return Promise.resolve({ done: true, value: undefined });
  }
}
