import type { Conversation, Message } from '../types.js';

/** The versions of one message: `before` more are older than those in `ids`. */
interface Versions {
  readonly ids: readonly string[];
  readonly before: number;
}

/** The conversations and messages that are known, and when the feed has last brought each of them. */
export class Rows {
  readonly conversations = new Map<string, Conversation>();
  readonly messages = new Map<string, Message>();
  /** The ids of the messages of each conversation. */
  private readonly members = new Map<string, Set<string>>();
  private readonly versions = new Map<string, Versions>();
  private readonly brought = new Map<string, number>();
  /** Counts what the feed has brought. */
  clock = 0;

  /** Is called with the conversation of each message, and each conversation, that has changed. */
  constructor(private readonly onChange: (conversationId: string) => void) {}

  clear(): void {
    for (const rows of [this.conversations, this.messages, this.members, this.versions, this.brought]) rows.clear();
  }

  /** Notes that the feed has brought a row: older answers about it are out of date. */
  touch(id: string): void {
    this.brought.set(id, (this.clock += 1));
  }

  /** Whether an answer to a question that was asked at `since` may be out of date. */
  private isNewer(id: string, since: number | undefined): boolean {
    return since !== undefined && (this.brought.get(id) ?? 0) > since;
  }

  putConversation(row: Conversation, askedAt?: number): void {
    if (this.isNewer(row.id, askedAt)) return;
    this.conversations.set(row.id, row);
    this.onChange(row.id);
  }

  putMessage(row: Message, askedAt?: number): void {
    const known = this.messages.get(row.id);
    if (this.isNewer(row.id, askedAt)) return;
    // The feed continues the text that it has brought itself.
    if (askedAt !== undefined && known?.status === 'GENERATING' && this.brought.has(row.id) && row.finishedAt === null) return;
    this.messages.set(row.id, row);
    const conversation = row.conversation.id;
    const members = this.members.get(conversation) ?? new Set();
    this.members.set(conversation, members.add(row.id));
    this.learn(row);
    this.onChange(conversation);
  }

  deleteMessage(id: string, conversationId: string): void {
    for (const [group, { ids, before }] of this.versions) {
      if (ids.includes(id)) this.setVersions(group, { ids: ids.filter((other) => other !== id), before });
    }
    this.messages.delete(id);
    this.brought.delete(id);
    this.members.get(conversationId)?.delete(id);
    this.onChange(conversationId);
  }

  /** Forgets the messages of a conversation, but for those that are to be kept. */
  deleteMessages(conversationId: string, isKept: (message: Message) => boolean = () => false): void {
    for (const id of this.members.get(conversationId) ?? []) {
      const message = this.messages.get(id)!;
      if (isKept(message)) continue;
      this.versions.delete(groupOf(message));
      this.messages.delete(id);
      this.brought.delete(id);
      this.members.get(conversationId)!.delete(id);
    }
    this.onChange(conversationId);
  }

  messagesOf(conversationId: string): Message[] {
    return [...(this.members.get(conversationId) ?? [])].map((id) => this.messages.get(id)!);
  }

  versionsOf(message: Message): readonly string[] {
    return this.versions.get(groupOf(message))?.ids ?? [message.id];
  }

  /** Whether a row has versions of which the ids are not known. */
  lacksVersions(row: Message): boolean {
    return row.siblingCount > 1 && !this.versions.has(groupOf(row)) && !impliedVersions(row);
  }

  putVersions(row: Message, ids: readonly string[]): void {
    this.setVersions(groupOf(row), { ids, before: Math.max(0, row.siblingCount - ids.length) });
  }

  /** Notes what a row tells of its versions. */
  private learn(row: Message): void {
    const group = groupOf(row);
    const known = this.versions.get(group);
    if (known && !known.ids.includes(row.id)) this.setVersions(group, { ...known, ids: [...known.ids, row.id] });
    else {
      const implied = known ?? impliedVersions(row);
      if (implied) this.setVersions(group, implied);
    }
  }

  /** Keeps the rows of all versions true: the feed does not report them when another version comes or goes. */
  private setVersions(group: string, versions: Versions): void {
    this.versions.set(group, versions);
    const { ids, before } = versions;
    ids.forEach((id, index) => {
      const row = this.messages.get(id);
      if (!row) return;
      const place = {
        siblingIndex: before + index,
        siblingCount: before + ids.length,
        previousVersionId: ids[index - 1] ?? (before ? row.previousVersionId : null),
        nextVersionId: ids[index + 1] ?? null,
      };
      const isSame = (Object.keys(place) as (keyof typeof place)[]).every((field) => row[field] === place[field]);
      if (!isSame) this.messages.set(id, { ...row, ...place });
    });
  }
}

/** What the versions of a message have in common: the message before them, or the conversation that they begin. */
function groupOf({ parent, conversation }: Message): string {
  return parent?.id ?? conversation.id;
}

/** All versions of a message, if it names each of them itself. */
function impliedVersions({ id, siblingCount, previousVersionId, nextVersionId }: Message): Versions | undefined {
  const ids = [previousVersionId, id, nextVersionId].filter((other) => other !== null);
  return ids.length === siblingCount ? { ids, before: 0 } : undefined;
}
