import { CONVERSATIONS, rowsOf } from '../documents.js';
import { hasCode, isRetryable } from '../error.js';
import type { Replica, ReplicaOptions, ReplicaStatus } from '../interface.js';
import { advance } from '../reply.js';
import { createPatience } from '../resume.js';
import type { ChangeEvent, Conversation, Message, Page } from '../types.js';
import { createLists } from './lists.js';
import { createLoader } from './loading.js';
import { createNotifier } from './notifier.js';
import { createOutbox } from './outbox.js';
import { createRows } from './rows.js';
import { createThreads } from './threads.js';

type WithUnread = { readonly conversation: { readonly id: string; readonly unreadCount?: number } };

/** What a replica tells of itself. */
interface Told {
  status: ReplicaStatus;
  error: unknown;
  viewerId: string | undefined;
}

/** What mutations answer with. */
interface Payload {
  readonly conversation: Conversation;
  readonly message: Message;
  readonly reply: Message;
}

/** A local copy of the user's conversations, kept up to date by the feed. */
export function createReplica({ client, pageSizes = {}, storage, storagePrefix }: ReplicaOptions): Replica {
  const { now: notify, soon, subscribe } = createNotifier();
  const size = pageSizes.conversations ?? 30;
  const rows = createRows((id) => {
    lists.invalidate();
    threads.invalidate(id);
  });
  const { conversations, messages, clock, touch, messagesOf, putConversation } = rows;
  // What was read or sent before the cursor of the feed is known could change without the feed telling of it.
  let begin: () => void;
  let begun: Promise<void>;
  const loader = createLoader(rows, notify, () => begun);
  const lists = createLists(client, rows, size, loader);
  const threads = createThreads(client, rows, pageSizes.messages ?? 50, (id) => outbox.of(id), notify, loader);
  const outbox = createOutbox(client, sent, changed, storage, storagePrefix);
  const { resolve } = outbox;

  let cursor: string | undefined;
  let running: AbortController | undefined;
  forgetAll();

  function changed(id: string): void {
    threads.invalidate(id);
    notify();
  }

  function become(status: ReplicaStatus, error?: unknown): void {
    replica.status = status;
    replica.error = error;
    notify();
  }

  /** Keeps the rows of an answer, unless the feed has brought them since it was asked for. */
  function keep({ conversation, message, reply }: Partial<Payload>, askedAt: number): void {
    if (conversation) putConversation(conversation, askedAt);
    for (const row of [message, reply]) if (row) threads.adopt(row, askedAt);
  }

  function sent(key: string, payload: Payload): void {
    const { id } = payload.conversation;
    if (!threads.has(id) && threads.has(key)) threads.begin(id, payload.message.parent === null);
    // The feed may have brought more already.
    keep(payload, 0);
    changed(id);
  }

  async function ask(mutation: string, input: object, fields: string): Promise<Payload> {
    const askedAt = clock();
    const payload = await client.mutate<Payload>(mutation, input, rowsOf(fields));
    keep(payload, askedAt);
    notify();
    return payload;
  }

  async function askForReply(mutation: string, input: object, fields = ''): Promise<Message> {
    return (await ask(mutation, input, `${fields} reply`)).reply;
  }

  /** Reads where the feed is to begin, and the first page, unless they are known. */
  async function load(signal: AbortSignal): Promise<void> {
    if (cursor !== undefined) return;
    const askedAt = clock();
    const page = `conversations(filter:{states:[ACTIVE]},orderBy:PINNED_FIRST,first:$first){${CONVERSATIONS}}`;
    const document = `query($first:Int){viewer{id changeCursor ${page}}}`;
    type Found = { viewer: { id: string; changeCursor: string; conversations: Page<Conversation> } };
    const { viewer } = await client.query<Found>(document, { first: size }, { signal });
    if (replica.viewerId !== undefined && replica.viewerId !== viewer.id) forgetAll();
    replica.viewerId = viewer.id;
    cursor = viewer.changeCursor;
    lists.begin(viewer.conversations, askedAt);
    begin();
  }

  function forgetAll(): void {
    cursor = undefined;
    begun = new Promise((resolve) => (begin = resolve));
    for (const part of [rows, lists, threads]) part.clear();
  }

  async function run(signal: AbortSignal): Promise<void> {
    const wait = createPatience(signal);
    const onConnection = (isConnected: boolean, error?: unknown) => {
      if (signal.aborted) return;
      if (!isConnected) return become('offline', error);
      become('live');
      outbox.open();
      threads.retry();
    };
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      try {
        await load(signal);
        outbox.open();
        for await (const change of client.changes(cursor, { signal, onConnection })) {
          apply(change);
          cursor = change.cursor;
          soon();
        }
      } catch (error) {
        if (signal.aborted) return;
        if (hasCode(error, 'UNAUTHENTICATED')) return become('signed-out', error);
        // A cursor that the server does not know any more, as after a restoration from a backup.
        if (hasCode(error, 'BAD_USER_INPUT')) forgetAll();
        else if (!isRetryable(error) && isFirst) console.error(error);
        become('offline', error);
        await wait(error).catch(() => {});
      }
    }
  }

  function apply(change: ChangeEvent): void {
    // Each kind has fields of its own.
    if ('conversation' in change) {
      const { id } = change.conversation;
      touch(id);
      putConversation(change.conversation);
      if (change.__typename === 'ConversationRestored') void threads.load(id);
    } else if ('message' in change) put(change.message);
    else if ('event' in change) {
      const known = messages.get(change.messageId);
      // An answer may have told of the end already, with the text that is still to come.
      if (known?.status === 'GENERATING') put(advance(known, change.event));
    } else if ('messageId' in change) rows.deleteMessage(change.messageId, change.conversationId);
    else deleteConversation(change.conversationId);
  }

  function deleteConversation(id: string): void {
    const known = conversations.get(id);
    touch(id);
    rows.deleteMessages(id);
    threads.forget(id);
    conversations.delete(id);
    // The trash shows it if it is shown itself.
    if (known && lists.has('TRASHED')) putConversation({ ...known, state: 'TRASHED', deletedAt: new Date().toISOString() });
  }

  /** Keeps what the feed has brought of a message, if its thread is shown or it is being written. */
  function put(message: Message): void {
    const { id, unreadCount } = (message as WithUnread).conversation;
    const conversation = conversations.get(id);
    if (conversation && unreadCount !== undefined && unreadCount !== conversation.unreadCount) {
      putConversation({ ...conversation, unreadCount });
    }
    touch(message.id);
    const row = { ...message, conversation: { id } };
    if (threads.has(id)) return threads.adopt(row);
    rows.putMessage(row);
    rows.deleteMessages(id, true);
  }

  function reconnect(): void {
    if (!running) return;
    running.abort();
    running = new AbortController();
    become('connecting');
    void run(running.signal);
  }

  const replica: Replica & Told = {
    client,
    status: 'idle',
    error: undefined,
    viewerId: undefined,
    start() {
      if (running) return;
      running = new AbortController();
      globalThis.addEventListener?.('online', reconnect);
      reconnect();
    },
    stop() {
      running?.abort();
      running = undefined;
      globalThis.removeEventListener?.('online', reconnect);
      outbox.close();
      become('idle');
    },
    reconnect,
    subscribe,

    list(state = 'ACTIVE') {
      // Later, as this may be called while a page renders. The first page of active ones is loaded with the feed.
      if (!lists.has(state) && state !== 'ACTIVE') queueMicrotask(() => void lists.load(state).catch(() => {}));
      return lists.get(state);
    },
    loadMore: (state = 'ACTIVE') => lists.load(state),
    conversation: (id) => conversations.get(resolve(id)),
    resolve,

    thread: (id) => threads.get(resolve(id), outbox.has(resolve(id))),
    loadOlder: (id) => threads.loadOlder(resolve(id)),
    async reveal(id, messageId) {
      const isShown = () => replica.thread(id).messages.some((message) => message.id === messageId);
      replica.thread(id);
      await threads.load(id);
      if (isShown()) return;
      const { message } = await client.query<{ message: { active: boolean } | null }>('query($id:ID!){message(id:$id){active}}', { id: messageId });
      if (!message) return;
      if (!message.active) await replica.activate(messageId);
      while (!isShown() && replica.thread(id).hasOlder) await threads.loadOlder(id);
    },
    message: (id) => messages.get(id),
    isWriting: (id) => messagesOf(resolve(id)).some(({ status }) => status === 'GENERATING'),
    versions(messageId) {
      const message = messages.get(messageId);
      return message ? rows.versions.of(message) : [];
    },
    forget: (id) => threads.forget(resolve(id)),

    send: outbox.add,
    resend: outbox.resend,
    discard: outbox.discard,

    edit: (input) => askForReply('editMessage', { ...input, awaitReply: false }, 'conversation message'),
    regenerate: (input) => askForReply('regenerateReply', { ...input, awaitReply: false }, 'conversation'),
    retry: (input) => askForReply('retryReply', { ...input, awaitReply: false }),
    stopReply: (messageId) => askForReply('stopReply', { messageId }),
    async activate(messageId) {
      await ask('activateMessage', { messageId }, 'conversation');
    },
    async deleteMessage(messageId) {
      const { conversation } = await ask('deleteMessage', { messageId }, 'conversation');
      rows.deleteMessage(messageId, conversation.id);
      notify();
    },
    async rate(messageId, rating, comment) {
      await askForReply('rateReply', { messageId, rating, comment });
    },
    async markRead(id) {
      const { lastMessage, unreadCount, id: conversationId } = replica.conversation(id) ?? {};
      if (lastMessage && unreadCount) await ask('markRead', { conversationId, upToMessageId: lastMessage.id }, 'conversation');
    },
    async updateConversation(input) {
      return (await ask('updateConversation', input, 'conversation')).conversation;
    },
    async deleteConversation(id) {
      await client.deleteConversation(id);
      deleteConversation(id);
      notify();
    },
    async restoreConversation(conversationId) {
      await ask('restoreConversation', { conversationId }, 'conversation');
    },
  };
  return replica;
}
