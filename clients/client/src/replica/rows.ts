import type { Conversation, Message } from '../types.js';
import { createVersions } from './versions.js';

export type Rows = ReturnType<typeof createRows>;

/**
 * The conversations and messages that are known, and when the feed has last brought each of them. `onChange` is called
 * with the conversation of each row that has changed.
 */
export function createRows(onChange: (conversationId: string) => void) {
  const conversations = new Map<string, Conversation>();
  const messages = new Map<string, Message>();
  const versions = createVersions();
  /** The ids of the messages of each conversation. */
  const members = new Map<string, Set<string>>();
  /** When the feed has last brought a row, and messages of a conversation have last come or gone. */
  const brought = new Map<string, number>();
  const grown = new Map<string, number>();
  /** Counts what the feed has brought. */
  let clock = 0;

  /** Whether an answer to a question that was asked at `since` may be out of date. */
  const isNewer = (id: string, since: number | undefined) => since !== undefined && (brought.get(id) ?? 0) > since;

  /** Notes that the feed has brought a row: older answers about it are out of date. */
  function touch(id: string): void {
    brought.set(id, (clock += 1));
  }

  function place(id: string): void {
    const row = messages.get(id);
    if (row) messages.set(id, versions.place(row));
  }

  /** Gives all versions of a message the places that are known now. */
  function settle(row: Message): void {
    versions.of(row).forEach(place);
    place(row.id);
    onChange(row.conversation.id);
  }

  const messagesOf = (conversationId: string) => [...(members.get(conversationId) ?? [])].map((id) => messages.get(id)!);

  return {
    conversations,
    messages,
    versions,
    clock: () => clock,
    touch,
    settle,
    messagesOf,
    clear: () => [conversations, messages, members, versions, brought, grown].forEach((rows) => rows.clear()),
    /** Whether messages of a conversation have come or gone since `since`. */
    hasGrown: (conversationId: string, since: number) => (grown.get(conversationId) ?? 0) > since,

    putConversation(row: Conversation, askedAt?: number): void {
      if (isNewer(row.id, askedAt)) return;
      conversations.set(row.id, row);
      onChange(row.id);
    },

    putMessage(row: Message, askedAt?: number): void {
      if (isNewer(row.id, askedAt)) return;
      const known = messages.get(row.id);
      // The feed continues the text that it has brought itself.
      if (askedAt !== undefined && known?.status === 'GENERATING' && brought.has(row.id) && row.finishedAt === null) return;
      const conversation = row.conversation.id;
      if (!known && askedAt === undefined) grown.set(conversation, (clock += 1));
      messages.set(row.id, row);
      members.set(conversation, (members.get(conversation) ?? new Set()).add(row.id));
      settle(row);
    },

    deleteMessage(id: string, conversationId: string): void {
      // An answer from before must not bring it back.
      touch(id);
      grown.set(conversationId, clock);
      messages.delete(id);
      members.get(conversationId)?.delete(id);
      versions.remove(id).forEach(place);
      onChange(conversationId);
    },

    /** Forgets the messages of a conversation, those that are being written too unless they are to be kept. */
    deleteMessages(conversationId: string, keepsRunning = false): void {
      for (const { id, status } of messagesOf(conversationId)) {
        if (keepsRunning && status === 'GENERATING') continue;
        messages.delete(id);
        members.get(conversationId)!.delete(id);
      }
      versions.forget(conversationId);
      onChange(conversationId);
    },
  };
}
