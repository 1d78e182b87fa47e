import { CONVERSATIONS } from '../documents.js';
import { hasCode, isRetryable } from '../error.js';
import type { Replica, ReplicaOptions, ReplicaStatus } from '../interface.js';
import { advance } from '../reply.js';
import { createPatience } from '../resume.js';
import type { ChangeEvent, Conversation, Message, Page } from '../types.js';
import { createLists } from './lists.js';
import { createNotifier } from './notifier.js';
import { createOutbox, type Sent } from './outbox.js';
import { createRows } from './rows.js';
import { createThreads } from './threads.js';

type WithUnread = { readonly conversation: { readonly id: string; readonly unreadCount?: number } };

/** A local copy of the user's conversations, kept up to date by the feed. */
export function createReplica({ client, pageSizes = {}, storage, storagePrefix }: ReplicaOptions): Replica {
  const notifier = createNotifier();
  const size = pageSizes.conversations ?? 30;
  const rows = createRows((id) => {
    lists.invalidate();
    threads.invalidate(id);
  });
  // What was read or sent before the cursor of the feed is known could change without the feed telling of it.
  let begin = () => {};
  let begun = new Promise<void>((resolve) => (begin = resolve));
  const ready = () => begun;
  const lists = createLists(client, rows, size, notifier.now, ready);
  const threads = createThreads(client, rows, pageSizes.messages ?? 50, (id) => outbox.of(id), notifier.now, ready);
  const outbox = createOutbox(client, sent, changed, storage, storagePrefix);

  let status: ReplicaStatus = 'idle';
  let problem: unknown;
  let viewerId: string | undefined;
  let cursor: string | undefined;
  let running: AbortController | undefined;

  function changed(id: string): void {
    threads.invalidate(id);
    notifier.now();
  }

  function become(next: ReplicaStatus, error?: unknown): void {
    status = next;
    problem = error;
    notifier.now();
  }

  function sent(key: string, { conversation, message, reply }: Sent): void {
    if (!threads.has(conversation.id) && threads.has(key)) threads.begin(conversation.id, message.parent === null);
    // The feed may have brought more already.
    rows.putConversation(conversation, rows.conversations.has(conversation.id) ? 0 : undefined);
    for (const row of [message, reply]) threads.adopt(row, 0);
    changed(conversation.id);
  }

  /** Asks for rows, and keeps those that the feed has not brought meanwhile. */
  async function ask<Payload extends { conversation?: Conversation; message?: Message; reply?: Message }>(
    mutation: string,
    input: object,
    selection: string,
  ): Promise<Payload> {
    const askedAt = rows.clock();
    const payload = await client.mutate<Payload>(mutation, input, selection);
    for (const row of [payload.message, payload.reply]) if (row) threads.adopt(row, askedAt);
    if (payload.conversation) rows.putConversation(payload.conversation, askedAt);
    notifier.now();
    return payload;
  }

  async function askForReply(mutation: string, input: object, more: string): Promise<Message> {
    const { reply } = await ask<{ reply: Message }>(mutation, input, `${more} reply { ...MessageFields }`);
    return reply;
  }

  /** Reads where the feed is to begin, and the first page, unless they are known. */
  async function load(signal: AbortSignal): Promise<void> {
    if (cursor !== undefined) return;
    const askedAt = rows.clock();
    const document = `query ($first: Int) { viewer { id changeCursor
      conversations(filter: { states: [ACTIVE] }, orderBy: PINNED_FIRST, first: $first) { ${CONVERSATIONS} } } }`;
    type Found = { viewer: { id: string; changeCursor: string; conversations: Page<Conversation> } };
    const { viewer } = await client.query<Found>(document, { first: size }, { signal });
    if (viewerId !== undefined && viewerId !== viewer.id) forgetAll();
    viewerId = viewer.id;
    cursor = viewer.changeCursor;
    lists.take('ACTIVE', viewer.conversations, askedAt);
    begin();
    outbox.open();
  }

  function forgetAll(): void {
    cursor = undefined;
    begun = new Promise((resolve) => (begin = resolve));
    rows.clear();
    lists.clear();
    threads.clear();
  }

  async function run(signal: AbortSignal): Promise<void> {
    const wait = createPatience(signal);
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      try {
        await load(signal);
        const onConnection = (isConnected: boolean, error?: unknown) => {
          if (signal.aborted) return;
          if (!isConnected) return become('offline', error);
          become('live');
          outbox.open();
          threads.retry();
        };
        for await (const change of client.changes(cursor, { signal, onConnection })) {
          apply(change);
          cursor = change.cursor;
          notifier.soon();
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
    switch (change.__typename) {
      case 'ConversationChanged':
      case 'ConversationRestored':
      case 'ActivePathChanged': {
        const { conversation } = change;
        rows.touch(conversation.id);
        rows.putConversation(conversation);
        if (change.__typename === 'ConversationRestored') void threads.load(conversation.id);
        return;
      }
      case 'ConversationDeleted': {
        const { conversationId: id } = change;
        const known = rows.conversations.get(id);
        rows.touch(id);
        rows.deleteMessages(id);
        threads.forget(id);
        rows.conversations.delete(id);
        // The trash shows it if it is shown itself.
        if (known && lists.has('TRASHED')) rows.putConversation({ ...known, state: 'TRASHED', deletedAt: new Date().toISOString() });
        return;
      }
      case 'MessageChanged':
        return put(change.message);
      case 'MessageDeleted':
        return rows.deleteMessage(change.messageId, change.conversationId);
      case 'ReplyProgressed': {
        const known = rows.messages.get(change.messageId);
        // An answer may have told of the end already, with the text that is still to come.
        if (known?.status === 'GENERATING') put(advance(known, change.event));
      }
    }
  }

  /** Keeps what the feed has brought of a message, if its thread is shown or it is being written. */
  function put(message: Message): void {
    const { id, unreadCount } = (message as WithUnread).conversation;
    const conversation = rows.conversations.get(id);
    if (conversation && unreadCount !== undefined && unreadCount !== conversation.unreadCount) {
      rows.putConversation({ ...conversation, unreadCount });
    }
    rows.touch(message.id);
    const row = { ...message, conversation: { id } };
    if (threads.has(id)) return threads.adopt(row);
    rows.putMessage(row);
    rows.deleteMessages(id, true);
  }

  const reconnect = () => {
    if (!running) return;
    running.abort();
    running = new AbortController();
    become('connecting');
    if (cursor !== undefined) outbox.open();
    void run(running.signal);
  };
  const wake = () => {
    if (status !== 'live') reconnect();
  };

  const CONVERSATION = 'conversation { ...ConversationFields }';
  const MESSAGE = 'message { ...MessageFields }';

  const replica: Replica = {
    client,
    get status() {
      return status;
    },
    get error() {
      return problem;
    },
    get viewerId() {
      return viewerId;
    },
    start() {
      if (running) return;
      running = new AbortController();
      globalThis.addEventListener?.('online', wake);
      reconnect();
    },
    stop() {
      running?.abort();
      running = undefined;
      globalThis.removeEventListener?.('online', wake);
      outbox.close();
      become('idle');
    },
    reconnect,
    subscribe: notifier.subscribe,

    list(state = 'ACTIVE') {
      // Later, as this may be called while a page renders. The first page of active ones is loaded with the feed.
      if (!lists.has(state) && state !== 'ACTIVE') queueMicrotask(() => void lists.load(state).catch(() => {}));
      return lists.get(state);
    },
    loadMore: (state = 'ACTIVE') => lists.load(state),
    conversation: (id) => rows.conversations.get(outbox.resolve(id)),
    resolve: (id) => outbox.resolve(id),

    thread(id) {
      const resolved = outbox.resolve(id);
      return outbox.has(resolved) ? threads.begun(resolved) : threads.get(resolved);
    },
    loadOlder: (id) => threads.loadOlder(outbox.resolve(id)),
    async reveal(id, messageId) {
      const isShown = () => replica.thread(id).messages.some((message) => message.id === messageId);
      replica.thread(id);
      await threads.load(id);
      if (isShown()) return;
      const document = 'query ($id: ID!) { message(id: $id) { active } }';
      const { message } = await client.query<{ message: { active: boolean } | null }>(document, { id: messageId });
      if (!message) return;
      if (!message.active) await replica.activate(messageId);
      while (!isShown() && replica.thread(id).hasOlder) await threads.loadOlder(id);
    },
    message: (id) => rows.messages.get(id),
    isWriting: (id) => rows.messagesOf(outbox.resolve(id)).some(({ status }) => status === 'GENERATING'),
    versions(messageId) {
      const message = rows.messages.get(messageId);
      return message ? rows.versions.of(message) : [];
    },
    forget: (id) => threads.forget(outbox.resolve(id)),

    send: (input) => outbox.add(input),
    resend: (key) => outbox.resend(key),
    discard: (key) => outbox.discard(key),

    edit: (input) => askForReply('editMessage', { ...input, awaitReply: false }, `${CONVERSATION} ${MESSAGE}`),
    regenerate: (input) => askForReply('regenerateReply', { ...input, awaitReply: false }, CONVERSATION),
    retry: (input) => askForReply('retryReply', { ...input, awaitReply: false }, ''),
    stopReply: (messageId) => askForReply('stopReply', { messageId }, ''),
    async activate(messageId) {
      await ask('activateMessage', { messageId }, CONVERSATION);
    },
    async deleteMessage(messageId) {
      const { conversation } = await ask<{ conversation: Conversation }>('deleteMessage', { messageId }, CONVERSATION);
      rows.deleteMessage(messageId, conversation.id);
      notifier.now();
    },
    async rate(messageId, rating, comment) {
      await askForReply('rateReply', { messageId, rating, comment }, '');
    },
    async markRead(id) {
      const conversation = rows.conversations.get(outbox.resolve(id));
      if (!conversation?.lastMessage || conversation.unreadCount === 0) return;
      await ask('markRead', { conversationId: conversation.id, upToMessageId: conversation.lastMessage.id }, CONVERSATION);
    },
    async updateConversation(input) {
      return (await ask<{ conversation: Conversation }>('updateConversation', input, CONVERSATION)).conversation;
    },
    async deleteConversation(id) {
      await client.deleteConversation(id);
      apply({ __typename: 'ConversationDeleted', cursor: '', conversationId: id });
      notifier.now();
    },
    async restoreConversation(conversationId) {
      await ask('restoreConversation', { conversationId }, CONVERSATION);
    },
  };
  return replica;
}
