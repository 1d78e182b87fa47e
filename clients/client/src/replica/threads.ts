import type { Client, OutgoingMessage, Thread } from '../interface.js';
import { delay } from '../limit.js';
import { repeated } from '../resume.js';
import type { Conversation, Message } from '../types.js';
import { isComing, UNLOADED, type Loader, type Loading } from './loading.js';
import type { Rows } from './rows.js';

interface State extends Loading<Thread> {
  /** Whether the path is being completed, or waits for a connection to be. */
  isFilling: boolean;
  /** The active path as it was last shown. */
  messages: readonly Message[];
}

/** The threads that are shown, as far as they are loaded. */
export function createThreads(
  client: Client,
  rows: Rows,
  size: number,
  outgoing: (conversationId: string) => readonly OutgoingMessage[],
  notify: () => void,
  loader: Loader,
) {
  const threads = new Map<string, State>();
  /** What could not be read, and is tried again with the next connection. */
  const failed = new Set<() => void>();
  const { conversations, messages, versions, clock, hasGrown, messagesOf, putConversation, putMessage, settle } = rows;

  /** Begins to hold a thread; one that is new needs not be loaded. */
  function begin(id: string, isLoaded: boolean): State {
    const state = { ...UNLOADED, isLoaded, isFilling: false, messages: [] };
    versions.forget(id);
    threads.set(id, state);
    return state;
  }

  /** Loads the thread, or loads it anew. */
  async function load(id: string): Promise<void> {
    const state = threads.get(id);
    if (!state) return;
    await loader
      .load(state, async (askedAt) => {
        const document = 'query($id:ID!,$last:Int!){conversation(id:$id){...ConversationFields messages(last:$last){nodes{...MessageFields}}}}';
        type Found = { conversation: (Conversation & { messages: { nodes: Message[] } }) | null };
        const { conversation } = await client.query<Found>(document, { id, last: size });
        if (threads.get(id) !== state) return {};
        if (conversation) {
          const { messages, ...row } = conversation;
          await put(messages.nodes, askedAt);
          putConversation(row, askedAt);
        } else conversations.delete(id);
        return { isLoaded: true };
      })
      .catch(() => failed.add(() => void load(id)));
  }

  async function read(conversationId: string, leafId: string): Promise<number> {
    const askedAt = clock();
    const { nodes } = await client.messages({ conversationId, leafId, last: size });
    await put(nodes, askedAt);
    return nodes.length;
  }

  /** Keeps rows of a thread that is held, once the ids of their versions are known too. */
  async function put(found: readonly Message[], askedAt: number): Promise<void> {
    await findVersions(found, askedAt);
    for (const row of found) if (threads.has(row.conversation.id)) putMessage(row, askedAt);
  }

  async function findVersions(found: readonly Message[], askedAt: number): Promise<void> {
    type Found = { message: { siblings: { totalCount: number; nodes: { id: string }[] } } | null };
    let left = found.filter((row) => !versions.covers(row, !hasGrown(row.conversation.id, askedAt)));
    // Once more if versions have come or gone meanwhile.
    while (left.length > 0) {
      const since = clock();
      await Promise.all(
        left.map(async (row) => {
          const document = 'query($id:ID!){message(id:$id){siblings(last:100){totalCount nodes{id}}}}';
          const { message } = await client.query<Found>(document, { id: row.id });
          if (message) versions.put(row, message.siblings.nodes.map(({ id }) => id), message.siblings.totalCount);
        }),
      );
      left = left.filter((row) => hasGrown(row.conversation.id, since));
    }
  }

  async function complete(row: Message): Promise<void> {
    try {
      await repeated(() => findVersions([row], clock()));
      settle(row);
      notify();
    } catch {
      failed.add(() => void complete(row));
    }
  }

  function show(id: string, state: State): Thread {
    const messages = (state.messages = path(id, state) ?? state.messages);
    return {
      messages,
      outgoing: outgoing(id),
      hasOlder: Boolean(messages[0]?.parent),
      isLoading: isComing(state),
      error: state.error,
      running: messagesOf(id)
        .filter(({ status }) => status === 'GENERATING' || status === 'QUEUED')
        .sort((a, b) => (a.status + a.id < b.status + b.id ? -1 : 1)),
    };
  }

  /** The loaded end of the active path; `undefined` while it is not known, and is being completed. */
  function path(id: string, state: State): Message[] | undefined {
    const last = conversations.get(id)?.lastMessage;
    if (!state.isLoaded || last === undefined) return undefined;
    const found: Message[] = [];
    let next: { readonly id: string } | null = last;
    // No path is longer than what is known, unless it leads back to itself.
    for (let row; next && found.length < messages.size && (row = messages.get(next.id)); next = row.parent) found.push(row);
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
    const end = () => loader.change(state, { isFilling: false });
    try {
      await delay(100);
      const isWanted = threads.get(id) === state && !messages.has(missing);
      if (isWanted && (await repeated(() => read(id, missing))) === 0) await load(id);
      end();
    } catch {
      failed.add(end);
    }
  }

  return {
    begin,
    load,
    has: (id: string) => threads.has(id),
    invalidate(id: string): void {
      const state = threads.get(id);
      if (state) state.snapshot = undefined;
    },
    clear(): void {
      threads.clear();
      failed.clear();
    },

    /** The thread of a conversation, which is loaded unless only an outgoing message has begun it. */
    get(id: string, isNew: boolean): Thread {
      let state = threads.get(id);
      if (!state) {
        state = begin(id, isNew);
        // Later, as this may be called while a page renders.
        if (!isNew) queueMicrotask(() => void load(id));
      }
      return (state.snapshot ??= show(id, state));
    },

    forget(id: string): void {
      if (threads.delete(id)) rows.deleteMessages(id, true);
    },

    /** Tries again what could not be read without a connection. */
    retry(): void {
      const all = [...failed];
      failed.clear();
      for (const attempt of all) attempt();
    },

    async loadOlder(id: string): Promise<void> {
      const state = threads.get(id);
      const leafId = state?.messages[0]?.parent?.id;
      if (state && leafId) await loader.load(state, async () => (await read(id, leafId), {}));
    },

    /** Keeps a row at once if its thread is held, and finds its versions if they are not known. */
    adopt(row: Message, askedAt?: number): void {
      if (!threads.has(row.conversation.id)) return;
      putMessage(row, askedAt);
      if (versions.covers(row, true)) settle(row);
      else void complete(row);
    },
  };
}
