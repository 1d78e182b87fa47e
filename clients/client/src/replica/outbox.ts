import { newKey } from '../client.js';
import { hasCode, isRetryable } from '../error.js';
import { backoff } from '../resume.js';
import type { Client, OutboxStorage, OutgoingMessage } from '../interface.js';
import type { Conversation, Message, SendMessageInput } from '../types.js';

export interface Sent {
  readonly conversation: Conversation;
  readonly message: Message;
  readonly reply: Message;
}

/** Messages on their way to the server: each is sent under one key until the server has answered, also after a reload. */
export class Outbox {
  readonly #entries = new Map<string, OutgoingMessage>();
  /** The conversations that sent messages have started, by the messages' keys. */
  readonly #started = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #isOpen = false;
  readonly #inFlight = new Set<string>();
  readonly #client: Client;
  readonly #onSent: (key: string, sent: Sent) => void;
  readonly #onChange: (conversationId: string) => void;
  readonly #storage: OutboxStorage | undefined;
  readonly #prefix: string;

  constructor(
    client: Client,
    onSent: (key: string, sent: Sent) => void,
    onChange: (conversationId: string) => void,
    storage?: OutboxStorage,
    prefix = 'causerie:',
  ) {
    this.#client = client;
    this.#onSent = onSent;
    this.#onChange = onChange;
    this.#storage = storage;
    this.#prefix = prefix;
    const names = Array.from({ length: storage?.length ?? 0 }, (_, index) => storage!.key(index)!);
    const kept = names.filter((name) => name.startsWith(prefix)).map((name) => JSON.parse(storage!.getItem(name)!) as OutgoingMessage);
    kept.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    for (const entry of kept) this.#entries.set(entry.key, entry.state === 'failed' ? entry : { ...entry, state: 'waiting' });
  }

  resolve(id: string): string {
    return this.#started.get(id) ?? id;
  }

  /** Whether this is the key of a message that is to start a conversation. */
  has(key: string): boolean {
    return this.#entries.get(key)?.conversationId === null;
  }

  of(id: string): OutgoingMessage[] {
    return [...this.#entries.values()].filter((entry) => this.#threadOf(entry) === this.resolve(id));
  }

  add({ idempotencyKey: key = newKey(), conversationId, ...input }: SendMessageInput): OutgoingMessage {
    const createdAt = new Date().toISOString();
    const id = conversationId === undefined ? null : this.resolve(conversationId);
    const entry: OutgoingMessage = { ...input, key, conversationId: id, createdAt, state: 'sending' };
    this.#put(entry);
    this.#pump();
    return entry;
  }

  resend(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry || entry.state === 'sending') return;
    this.#put({ ...entry, state: 'waiting', error: undefined });
    this.#pump();
  }

  discard(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#storage?.removeItem(this.#prefix + key);
    this.#onChange(this.#threadOf(entry));
  }

  /** Begins to send, or tries again what waits. */
  open(): void {
    this.#isOpen = true;
    this.#attempt = 0;
    this.#pump();
  }

  close(): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
  }

  /** Sends what may be sent: of each thread one at a time, in order. */
  #pump(): void {
    if (!this.#isOpen) return;
    clearTimeout(this.#timer);
    const busy = new Set<string>();
    for (const entry of this.#entries.values()) {
      const thread = this.#threadOf(entry);
      if (busy.has(thread)) continue;
      // A message that failed holds up others only if they need the conversation that it was to start.
      if (entry.state !== 'failed' || entry.conversationId === null) busy.add(thread);
      if (entry.state !== 'failed' && !this.#inFlight.has(entry.key)) void this.#transmit(entry);
    }
  }

  async #transmit(entry: OutgoingMessage): Promise<void> {
    const { key, conversationId, state, createdAt, error: _, ...message } = entry;
    this.#inFlight.add(key);
    if (state !== 'sending') this.#put({ ...entry, state: 'sending', error: undefined });
    try {
      const input = { ...message, idempotencyKey: key, awaitReply: false, conversationId: conversationId ?? undefined };
      const selection = 'conversation { ...ConversationFields } message { ...MessageFields } reply { ...MessageFields }';
      const sent = await this.#client.mutate<Sent>('sendMessage', input, selection);
      this.#inFlight.delete(key);
      this.#attempt = 0;
      if (conversationId === null) this.#settle(key, sent.conversation.id);
      this.#entries.delete(key);
      this.#storage?.removeItem(this.#prefix + key);
      this.#onSent(key, sent);
      this.#pump();
    } catch (error) {
      this.#inFlight.delete(key);
      // Without a good token, too, the message waits: for the user to sign in again.
      const mayWait = isRetryable(error) || hasCode(error, 'UNAUTHENTICATED');
      if (this.#entries.has(key)) this.#put({ ...entry, state: mayWait ? 'waiting' : 'failed', error });
      if (!mayWait) this.#pump();
      else if (this.#isOpen) this.#timer = setTimeout(() => this.#pump(), backoff((this.#attempt += 1), error));
    }
  }

  /** A message has started its conversation: those that follow it go there. */
  #settle(key: string, conversationId: string): void {
    this.#started.set(key, conversationId);
    for (const entry of this.#entries.values()) if (entry.conversationId === key) this.#put({ ...entry, conversationId });
  }

  #threadOf({ key, conversationId }: OutgoingMessage): string {
    return this.resolve(conversationId ?? key);
  }

  #put(entry: OutgoingMessage): void {
    this.#entries.set(entry.key, entry);
    const { error, ...kept } = entry;
    this.#storage?.setItem(this.#prefix + entry.key, JSON.stringify(kept));
    this.#onChange(this.#threadOf(entry));
  }
}
