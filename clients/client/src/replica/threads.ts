import { delay } from '../resume.js';
import type { Client, OutgoingMessage, Thread } from '../interface.js';
import type { Conversation, Message } from '../types.js';
import type { Rows } from './rows.js';

interface State {
  isLoaded: boolean;
  isLoading: boolean;
  /** Whether the path is being completed, or waits for a connection to be. */
  isFilling: boolean;
  isStuck: boolean;
  error: unknown;
  /** The active path as it was last shown. */
  messages: readonly Message[];
  snapshot: Thread | undefined;
}

const NOTHING: Thread = { messages: [], outgoing: [], hasOlder: false, isLoading: false, error: undefined, running: [] };

/** The threads that are shown, as far as they are loaded. */
export class Threads {
  readonly #threads = new Map<string, State>();
  /** Messages whose versions could not be read. */
  readonly #incomplete = new Set<Message>();

  readonly #client: Client;
  readonly #rows: Rows;
  readonly #size: number;
  readonly #outgoing: (conversationId: string) => readonly OutgoingMessage[];
  readonly #notify: () => void;
  readonly #ready: () => Promise<void>;

  /** `ready` resolves once the feed is to bring whatever changes after that. */
  constructor(
    client: Client,
    rows: Rows,
    size: number,
    outgoing: (conversationId: string) => readonly OutgoingMessage[],
    notify: () => void,
    ready: () => Promise<void>,
  ) {
    this.#client = client;
    this.#rows = rows;
    this.#size = size;
    this.#outgoing = outgoing;
    this.#notify = notify;
    this.#ready = ready;
  }

  clear(): void {
    this.#threads.clear();
    this.#incomplete.clear();
  }

  has(id: string): boolean {
    return this.#threads.has(id);
  }

  invalidate(id: string): void {
    const state = this.#threads.get(id);
    if (state) state.snapshot = undefined;
  }

  get(id: string): Thread {
    let state = this.#threads.get(id);
    if (!state) {
      state = this.begin(id, false);
      // Later, as this may be called while a page renders.
      queueMicrotask(() => void this.load(id));
    }
    return (state.snapshot ??= this.#snapshot(id, state));
  }

  /** The thread of a conversation that only an outgoing message has begun. */
  begun(id: string): Thread {
    const state = this.#threads.get(id) ?? this.begin(id, true);
    return (state.snapshot ??= { ...NOTHING, outgoing: this.#outgoing(id) });
  }

  /** Begins to hold a thread; one that is new needs not be loaded. */
  begin(id: string, isLoaded: boolean): State {
    const state = { isLoaded, isLoading: false, isFilling: false, isStuck: false, error: undefined, messages: [], snapshot: undefined };
    this.#rows.versions.forget(id);
    this.#threads.set(id, state);
    return state;
  }

  forget(id: string): void {
    if (this.#threads.delete(id)) this.#rows.deleteMessages(id, ({ status }) => status === 'GENERATING');
  }

  /** Loads the thread, or loads it anew. */
  async load(id: string): Promise<void> {
    const state = this.#threads.get(id);
    if (!state || state.isLoading) return;
    this.#change(id, state, { isLoading: true, error: undefined });
    try {
      await this.#ready();
      const askedAt = this.#rows.clock;
      const document = `query ($id: ID!, $last: Int!) {
        conversation(id: $id) { ...ConversationFields messages(last: $last) { nodes { ...MessageFields } } }
      }`;
      type Found = { conversation: (Conversation & { messages: { nodes: Message[] } }) | null };
      const { conversation } = await this.#client.query<Found>(document, { id, last: this.#size });
      if (this.#threads.get(id) !== state) return;
      if (conversation) {
        const { messages, ...row } = conversation;
        await this.#put(messages.nodes, askedAt);
        this.#rows.putConversation(row, askedAt);
      } else this.#rows.conversations.delete(id);
      this.#change(id, state, { isLoaded: true, isLoading: false });
    } catch (error) {
      this.#change(id, state, { isLoading: false, error });
    }
  }

  /** Loads again what could not be loaded without a connection. */
  retry(): void {
    for (const row of this.#incomplete) void this.#complete(row);
    for (const [id, state] of this.#threads) {
      if (!state.isLoaded && state.error) void this.load(id);
      if (state.isStuck) this.#change(id, state, { isStuck: false, isFilling: false });
    }
  }

  async loadOlder(id: string): Promise<void> {
    const state = this.#threads.get(id);
    const leafId = state?.messages[0]?.parent?.id;
    if (!state || state.isLoading || !leafId) return;
    this.#change(id, state, { isLoading: true });
    try {
      await this.#read(id, leafId);
    } finally {
      this.#change(id, state, { isLoading: false });
    }
  }

  async #read(conversationId: string, leafId: string): Promise<number> {
    const askedAt = this.#rows.clock;
    const { nodes } = await this.#client.messages({ conversationId, leafId, last: Math.min(100, this.#size) });
    await this.#put(nodes, askedAt);
    return nodes.length;
  }

  /** Keeps rows of a thread that is held, once the ids of their versions are known too. */
  async #put(rows: readonly Message[], askedAt: number): Promise<void> {
    await this.#findVersions(rows, askedAt);
    for (const row of rows) if (this.#threads.has(row.conversation.id)) this.#rows.putMessage(row, askedAt);
  }

  async #findVersions(rows: readonly Message[], askedAt: number): Promise<void> {
    const document = 'query ($id: ID!) { message(id: $id) { siblings(last: 100) { totalCount nodes { id } } } }';
    type Found = { message: { siblings: { totalCount: number; nodes: { id: string }[] } } | null };
    const { versions } = this.#rows;
    const lacking = rows.filter((row) => !versions.covers(row, !this.#rows.hasGrown(row.conversation.id, askedAt)));
    // Once more if versions have come or gone meanwhile.
    for (let left = lacking; left.length > 0; ) {
      const since = this.#rows.clock;
      const found = await Promise.all(left.map((row) => this.#client.query<Found>(document, { id: row.id })));
      found.forEach(({ message }, index) => {
        if (message) versions.put(left[index]!, message.siblings.nodes.map(({ id }) => id), message.siblings.totalCount);
      });
      left = left.filter((row) => this.#rows.hasGrown(row.conversation.id, since));
    }
  }

  /** Keeps a row at once if its thread is held, and finds its versions if they are not known. */
  adopt(row: Message, askedAt?: number): void {
    if (!this.#threads.has(row.conversation.id)) return;
    this.#rows.putMessage(row, askedAt);
    if (this.#rows.versions.covers(row, true)) this.#rows.settle(row);
    else void this.#complete(row);
  }

  async #complete(row: Message): Promise<void> {
    try {
      await this.#findVersions([row], this.#rows.clock);
      this.#incomplete.delete(row);
      this.#rows.settle(row);
      this.#notify();
    } catch {
      // The next connection tries again.
      this.#incomplete.add(row);
    }
  }

  #snapshot(id: string, state: State): Thread {
    const path = this.#path(id, state);
    if (path) state.messages = path;
    const { messages, error } = state;
    const running = this.#rows
      .messagesOf(id)
      .filter(({ status }) => status === 'GENERATING' || status === 'QUEUED')
      .sort((a, b) => a.status.localeCompare(b.status) || (a.id < b.id ? -1 : 1));
    const hasOlder = messages.length > 0 && messages[0]!.parent !== null;
    return {
      messages,
      outgoing: this.#outgoing(id),
      hasOlder,
      isLoading: state.isLoading || (!state.isLoaded && !error),
      error,
      running,
    };
  }

  /** The loaded end of the active path; `undefined` while it is not known, and is being completed. */
  #path(id: string, state: State): Message[] | undefined {
    const last = this.#rows.conversations.get(id)?.lastMessage;
    if (!state.isLoaded || last === undefined) return undefined;
    const path: Message[] = [];
    let next: { readonly id: string } | null = last;
    for (let row; next && (row = this.#rows.messages.get(next.id)); next = row.parent) path.push(row);
    // A path that joins what is loaded is as long as it was, but for a few versions; otherwise a part of it is missing.
    if (next && path.length < this.#size) {
      void this.#fill(id, state, next.id);
      return undefined;
    }
    return path.reverse();
  }

  /** Reads what is missing of a path, once the feed had the time to bring it by itself. */
  async #fill(id: string, state: State, missing: string): Promise<void> {
    if (state.isFilling) return;
    state.isFilling = true;
    try {
      await delay(100);
      const isWanted = this.#threads.get(id) === state && !this.#rows.messages.has(missing);
      if (isWanted && (await this.#read(id, missing)) === 0) await this.load(id);
      this.#change(id, state, { isFilling: false });
    } catch {
      // The next connection tries again.
      state.isStuck = true;
    }
  }

  #change(id: string, state: State, change: Partial<State>): void {
    Object.assign(state, change);
    this.invalidate(id);
    this.#notify();
  }
}
