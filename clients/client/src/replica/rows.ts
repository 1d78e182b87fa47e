import type { Conversation, Message } from '../types.js';
import { Versions } from './versions.js';

/** The conversations and messages that are known, and when the feed has last brought each of them. */
export class Rows {
  readonly conversations = new Map<string, Conversation>();
  readonly messages = new Map<string, Message>();
  readonly versions = new Versions();
  /** The ids of the messages of each conversation. */
  readonly #members = new Map<string, Set<string>>();
  readonly #brought = new Map<string, number>();
  readonly #grown = new Map<string, number>();
  /** Counts what the feed has brought. */
  clock = 0;

  /** `onChange` is called with the conversation of each row that has changed. */
  readonly #onChange: (conversationId: string) => void;

  constructor(onChange: (conversationId: string) => void) {
    this.#onChange = onChange;
  }

  clear(): void {
    for (const rows of [this.conversations, this.messages, this.#members, this.versions, this.#brought, this.#grown]) rows.clear();
  }

  /** Notes that the feed has brought a row: older answers about it are out of date. */
  touch(id: string): void {
    this.#brought.set(id, (this.clock += 1));
  }

  /** Whether an answer to a question that was asked at `since` may be out of date. */
  #isNewer(id: string, since: number | undefined): boolean {
    return since !== undefined && (this.#brought.get(id) ?? 0) > since;
  }

  /** Whether messages of a conversation have come or gone since `since`. */
  hasGrown(conversationId: string, since: number): boolean {
    return (this.#grown.get(conversationId) ?? 0) > since;
  }

  putConversation(row: Conversation, askedAt?: number): void {
    if (this.#isNewer(row.id, askedAt)) return;
    this.conversations.set(row.id, row);
    this.#onChange(row.id);
  }

  putMessage(row: Message, askedAt?: number): void {
    if (this.#isNewer(row.id, askedAt)) return;
    const known = this.messages.get(row.id);
    // The feed continues the text that it has brought itself.
    if (askedAt !== undefined && known?.status === 'GENERATING' && this.#brought.has(row.id) && row.finishedAt === null) return;
    const conversation = row.conversation.id;
    if (!known && askedAt === undefined) this.#grown.set(conversation, (this.clock += 1));
    this.messages.set(row.id, row);
    this.#members.set(conversation, (this.#members.get(conversation) ?? new Set()).add(row.id));
    this.settle(row);
  }

  /** Gives all versions of a message the places that are known now. */
  settle(row: Message): void {
    for (const id of this.versions.of(row)) this.#replace(id);
    this.#replace(row.id);
    this.#onChange(row.conversation.id);
  }

  #replace(id: string): void {
    const row = this.messages.get(id);
    if (row) this.messages.set(id, this.versions.place(row));
  }

  deleteMessage(id: string, conversationId: string): void {
    // An answer from before must not bring it back.
    this.touch(id);
    this.#grown.set(conversationId, this.clock);
    this.messages.delete(id);
    this.#members.get(conversationId)?.delete(id);
    for (const other of this.versions.remove(id)) this.#replace(other);
    this.#onChange(conversationId);
  }

  /** Forgets the messages of a conversation, but for those that are to be kept. */
  deleteMessages(conversationId: string, isKept: (message: Message) => boolean = () => false): void {
    for (const message of this.messagesOf(conversationId)) {
      if (isKept(message)) continue;
      this.messages.delete(message.id);
      this.#members.get(conversationId)!.delete(message.id);
    }
    this.versions.forget(conversationId);
    this.#onChange(conversationId);
  }

  messagesOf(conversationId: string): Message[] {
    return [...(this.#members.get(conversationId) ?? [])].map((id) => this.messages.get(id)!);
  }
}
