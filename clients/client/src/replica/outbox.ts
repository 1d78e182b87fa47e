import { keyed } from '../client.js';
import { rowsOf } from '../documents.js';
import { hasCode, isRetryable } from '../error.js';
import type { Client, OutboxStorage, OutgoingMessage } from '../interface.js';
import { backoff } from '../resume.js';
import type { Conversation, Message, SendMessageInput } from '../types.js';

export interface Sent {
  readonly conversation: Conversation;
  readonly message: Message;
  readonly reply: Message;
}

/** Messages on their way to the server: each is sent under one key until the server has answered, also after a reload. */
export function createOutbox(
  client: Client,
  onSent: (key: string, sent: Sent) => void,
  onChange: (conversationId: string) => void,
  storage?: OutboxStorage,
  prefix = 'causerie:',
) {
  const entries = new Map<string, OutgoingMessage>();
  /** The conversations that sent messages have started, by the messages' keys. */
  const started = new Map<string, string>();
  const inFlight = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  let isOpen = false;

  for (const entry of keptIn(storage, prefix)) entries.set(entry.key, entry);

  const resolve = (id: string) => started.get(id) ?? id;
  const threadOf = ({ key, conversationId }: OutgoingMessage) => resolve(conversationId ?? key);

  function put(entry: OutgoingMessage): void {
    entries.set(entry.key, entry);
    const { error, ...kept } = entry;
    try {
      storage?.setItem(prefix + entry.key, JSON.stringify(kept));
    } catch {
      // There is no room: it is sent all the same, but not kept over a reload.
    }
    onChange(threadOf(entry));
  }

  function remove(entry: OutgoingMessage): void {
    entries.delete(entry.key);
    onChange(threadOf(entry));
  }

  /** Sends what may be sent: of each thread one at a time, in order. */
  function pump(): void {
    if (!isOpen) return;
    clearTimeout(timer);
    const busy = new Set<string>();
    for (const entry of entries.values()) {
      const thread = threadOf(entry);
      if (busy.has(thread)) continue;
      // A message that failed holds up others only if they need the conversation that it was to start.
      if (entry.state !== 'failed' || entry.conversationId === null) busy.add(thread);
      if (entry.state !== 'failed' && !inFlight.has(entry.key)) void transmit(entry);
    }
  }

  async function transmit(entry: OutgoingMessage): Promise<void> {
    const { key, conversationId, state, createdAt, error: _, ...message } = entry;
    // Taken back in another window.
    if (storage?.getItem(prefix + key) === '') return remove(entry);
    inFlight.add(key);
    if (state !== 'sending') put({ ...entry, state: 'sending', error: undefined });
    try {
      const input = { ...message, idempotencyKey: key, awaitReply: false, conversationId: conversationId ?? undefined };
      // The connection that is taken for it may be dead since a sleep: then another one is tried soon.
      const sent = await client.mutate<Sent>('sendMessage', input, rowsOf('conversation message reply'), { timeout: 10_000 });
      inFlight.delete(key);
      attempt = 0;
      if (conversationId === null) {
        // Those that follow it go there.
        started.set(key, sent.conversation.id);
        for (const other of entries.values()) if (other.conversationId === key) put({ ...other, conversationId: sent.conversation.id });
      }
      entries.delete(key);
      storage?.removeItem(prefix + key);
      onSent(key, sent);
      pump();
    } catch (error) {
      inFlight.delete(key);
      // Without a good token, too, the message waits: for the user to sign in again.
      const mayWait = isRetryable(error) || hasCode(error, 'UNAUTHENTICATED');
      if (entries.has(key)) put({ ...entry, state: mayWait ? 'waiting' : 'failed', error });
      if (!mayWait) pump();
      else if (isOpen) timer = setTimeout(pump, backoff((attempt += 1), error));
    }
  }

  return {
    resolve,
    /** Whether this is the key of a message that is to start a conversation. */
    has: (key: string) => entries.get(key)?.conversationId === null,
    of: (id: string) => [...entries.values()].filter((entry) => threadOf(entry) === resolve(id)),

    add(given: SendMessageInput): OutgoingMessage {
      const { idempotencyKey: key, conversationId, ...input } = keyed(given);
      const id = conversationId === undefined ? null : resolve(conversationId);
      const entry: OutgoingMessage = { ...input, key, conversationId: id, createdAt: new Date().toISOString(), state: 'sending' };
      put(entry);
      pump();
      return entry;
    },

    resend(key: string): void {
      const entry = entries.get(key);
      if (!entry || entry.state === 'sending') return;
      put({ ...entry, state: 'waiting', error: undefined });
      pump();
    },

    discard(key: string): void {
      const entry = entries.get(key);
      if (!entry) return;
      // Another window with the same storage must not send it; the next one to begin removes this.
      storage?.setItem(prefix + key, '');
      remove(entry);
    },

    /** Begins to send, or tries again what waits. */
    open(): void {
      isOpen = true;
      attempt = 0;
      pump();
    },

    close(): void {
      isOpen = false;
      clearTimeout(timer);
    },
  };
}

/** The messages that a storage has kept, oldest first. What is nothing of ours there, or was taken back, is removed. */
function keptIn(storage: OutboxStorage | undefined, prefix: string): OutgoingMessage[] {
  const kept: OutgoingMessage[] = [];
  const names = Array.from({ length: storage?.length ?? 0 }, (_, index) => storage!.key(index)!);
  for (const name of names.filter((name) => name.startsWith(prefix))) {
    let entry: OutgoingMessage | undefined;
    try {
      entry = JSON.parse(storage!.getItem(name)!) as OutgoingMessage;
    } catch {
      // It is nothing of ours.
    }
    if (entry?.content) kept.push(entry.state === 'failed' ? entry : { ...entry, state: 'waiting' });
    else storage!.removeItem(name);
  }
  return kept.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}
