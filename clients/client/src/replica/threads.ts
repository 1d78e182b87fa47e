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

/** The threads that are shown, as far as they are loaded. `ready` resolves once the feed is to bring what changes after that. */
export function createThreads(
  client: Client,
  rows: Rows,
  size: number,
  outgoing: (conversationId: string) => readonly OutgoingMessage[],
  notify: () => void,
  ready: () => Promise<void>,
) {
  const threads = new Map<string, State>();
  /** Messages whose versions could not be read. */
  const incomplete = new Set<Message>();
  const { versions } = rows;

  function invalidate(id: string): void {
    const state = threads.get(id);
    if (state) state.snapshot = undefined;
  }

  function change(id: string, state: State, to: Partial<State>): void {
    Object.assign(state, to);
    invalidate(id);
    notify();
  }

  /** Begins to hold a thread; one that is new needs not be loaded. */
  function begin(id: string, isLoaded: boolean): State {
    const state = { isLoaded, isLoading: false, isFilling: false, isStuck: false, error: undefined, messages: [], snapshot: undefined };
    versions.forget(id);
    threads.set(id, state);
    return state;
  }

  /** Loads the thread, or loads it anew. */
  async function load(id: string): Promise<void> {
    const state = threads.get(id);
    if (!state || state.isLoading) return;
    change(id, state, { isLoading: true, error: undefined });
    try {
      await ready();
      const askedAt = rows.clock();
      const document = `query ($id: ID!, $last: Int!) {
        conversation(id: $id) { ...ConversationFields messages(last: $last) { nodes { ...MessageFields } } }
      }`;
      type Found = { conversation: (Conversation & { messages: { nodes: Message[] } }) | null };
      const { conversation } = await client.query<Found>(document, { id, last: size });
      if (threads.get(id) !== state) return;
      if (conversation) {
        const { messages, ...row } = conversation;
        await put(messages.nodes, askedAt);
        rows.putConversation(row, askedAt);
      } else rows.conversations.delete(id);
      change(id, state, { isLoaded: true, isLoading: false });
    } catch (error) {
      change(id, state, { isLoading: false, error });
    }
  }

  async function read(conversationId: string, leafId: string): Promise<number> {
    const askedAt = rows.clock();
    const { nodes } = await client.messages({ conversationId, leafId, last: Math.min(100, size) });
    await put(nodes, askedAt);
    return nodes.length;
  }

  /** Keeps rows of a thread that is held, once the ids of their versions are known too. */
  async function put(found: readonly Message[], askedAt: number): Promise<void> {
    await findVersions(found, askedAt);
    for (const row of found) if (threads.has(row.conversation.id)) rows.putMessage(row, askedAt);
  }

  async function findVersions(found: readonly Message[], askedAt: number): Promise<void> {
    const document = 'query ($id: ID!) { message(id: $id) { siblings(last: 100) { totalCount nodes { id } } } }';
    type Found = { message: { siblings: { totalCount: number; nodes: { id: string }[] } } | null };
    let left = found.filter((row) => !versions.covers(row, !rows.hasGrown(row.conversation.id, askedAt)));
    // Once more if versions have come or gone meanwhile.
    while (left.length > 0) {
      const since = rows.clock();
      await Promise.all(
        left.map(async (row) => {
          const { message } = await client.query<Found>(document, { id: row.id });
          if (message) versions.put(row, message.siblings.nodes.map(({ id }) => id), message.siblings.totalCount);
        }),
      );
      left = left.filter((row) => rows.hasGrown(row.conversation.id, since));
    }
  }

  async function complete(row: Message): Promise<void> {
    try {
      await findVersions([row], rows.clock());
      incomplete.delete(row);
      rows.settle(row);
      notify();
    } catch {
      // The next connection tries again.
      incomplete.add(row);
    }
  }

  function snapshot(id: string, state: State): Thread {
    state.messages = path(id, state) ?? state.messages;
    const { messages, error } = state;
    return {
      messages,
      outgoing: outgoing(id),
      hasOlder: Boolean(messages[0]?.parent),
      isLoading: state.isLoading || (!state.isLoaded && !error),
      error,
      running: rows
        .messagesOf(id)
        .filter(({ status }) => status === 'GENERATING' || status === 'QUEUED')
        .sort((a, b) => a.status.localeCompare(b.status) || (a.id < b.id ? -1 : 1)),
    };
  }

  /** The loaded end of the active path; `undefined` while it is not known, and is being completed. */
  function path(id: string, state: State): Message[] | undefined {
    const last = rows.conversations.get(id)?.lastMessage;
    if (!state.isLoaded || last === undefined) return undefined;
    const found: Message[] = [];
    let next: { readonly id: string } | null = last;
    // No path is longer than what is known, unless it leads back to itself.
    for (let row; next && found.length < rows.messages.size && (row = rows.messages.get(next.id)); next = row.parent) found.push(row);
    // A path that joins what is loaded is as long as it was, but for a few versions; otherwise a part of it is missing.
    if (next && found.length < size) {
      void fill(id, state, next.id);
      return undefined;
    }
    return found.reverse();
  }

  /** Reads what is missing of a path, once the feed had the time to bring it by itself. */
  async function fill(id: string, state: State, missing: string): Promise<void> {
    if (state.isFilling) return;
    state.isFilling = true;
    try {
      await delay(100);
      const isWanted = threads.get(id) === state && !rows.messages.has(missing);
      if (isWanted && (await read(id, missing)) === 0) await load(id);
      change(id, state, { isFilling: false });
    } catch {
      // The next connection tries again.
      state.isStuck = true;
    }
  }

  return {
    begin,
    load,
    invalidate,
    has: (id: string) => threads.has(id),
    clear(): void {
      threads.clear();
      incomplete.clear();
    },

    get(id: string): Thread {
      let state = threads.get(id);
      if (!state) {
        state = begin(id, false);
        // Later, as this may be called while a page renders.
        queueMicrotask(() => void load(id));
      }
      return (state.snapshot ??= snapshot(id, state));
    },

    /** The thread of a conversation that only an outgoing message has begun. */
    begun(id: string): Thread {
      const state = threads.get(id) ?? begin(id, true);
      return (state.snapshot ??= { ...NOTHING, outgoing: outgoing(id) });
    },

    forget(id: string): void {
      if (threads.delete(id)) rows.deleteMessages(id, true);
    },

    /** Loads again what could not be loaded without a connection. */
    retry(): void {
      for (const row of incomplete) void complete(row);
      for (const [id, state] of threads) {
        if (!state.isLoaded && state.error) void load(id);
        if (state.isStuck) change(id, state, { isStuck: false, isFilling: false });
      }
    },

    async loadOlder(id: string): Promise<void> {
      const state = threads.get(id);
      const leafId = state?.messages[0]?.parent?.id;
      if (!state || state.isLoading || !leafId) return;
      change(id, state, { isLoading: true });
      try {
        await read(id, leafId);
      } finally {
        change(id, state, { isLoading: false });
      }
    },

    /** Keeps a row at once if its thread is held, and finds its versions if they are not known. */
    adopt(row: Message, askedAt?: number): void {
      if (!threads.has(row.conversation.id)) return;
      rows.putMessage(row, askedAt);
      if (versions.covers(row, true)) rows.settle(row);
      else void complete(row);
    },
  };
}
