import type { GraphQLRequest, GraphQLResult } from '@causerie/client';

/** How often to ask whether the other side is still there, and how long to wait for any message, in milliseconds. */
const PING = 12_000;
const SILENCE = 30_000;

interface Options {
  url: string;
  token: (refused: boolean) => string | Promise<string>;
  /** Is called when the server has accepted the connection. */
  onOpen: () => void;
}

type Result = IteratorResult<GraphQLResult, undefined>;

/**
 * A subscription over a WebSocket of its own, in the protocol `graphql-transport-ws`: where event streams do not get
 * through, and beside those of other tabs, as browsers allow more sockets than other connections to a server.
 */
export class Subscription implements AsyncIterator<GraphQLResult, undefined> {
  static #wasRefused = false;

  readonly #results: GraphQLResult[] = [];
  #socket: WebSocket | undefined;
  #waiting: { resolve: (result: Result) => void; reject: (error: unknown) => void } | undefined;
  #end: { error?: unknown } | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(request: GraphQLRequest, options: Options) {
    void this.#open(request, options);
  }

  async #open(request: GraphQLRequest, { url, token, onOpen }: Options): Promise<void> {
    try {
      const current = await token(Subscription.#wasRefused);
      Subscription.#wasRefused = false;
      if (this.#end) return;
      const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws');
      this.#socket = socket;
      const send = (message: object): void => {
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
      };
      this.#listen();
      socket.onopen = () => send({ type: 'connection_init', payload: { authorization: `Bearer ${current}` } });
      socket.onmessage = ({ data }: MessageEvent<string>) => {
        this.#listen();
        const message = JSON.parse(data) as { type: string; payload?: unknown };
        if (message.type === 'connection_ack') {
          send({ type: 'subscribe', id: '1', payload: request });
          this.#ping = setInterval(() => send({ type: 'ping' }), PING);
          onOpen();
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

  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#finish({ error: new DOMException('The socket is silent.', 'AbortError') }), SILENCE);
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
