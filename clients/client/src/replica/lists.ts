import { hasCode } from '../error.js';
import type { Client, ConversationList } from '../interface.js';
import type { Conversation, ConversationState, Page } from '../types.js';
import type { Rows } from './rows.js';

interface List {
  /** The last conversation of the pages that were loaded; `undefined` for all that there are. */
  bound: Conversation | undefined;
  cursor: string | null;
  hasMore: boolean;
  isLoaded: boolean;
  isLoading: boolean;
  error: unknown;
  snapshot: ConversationList | undefined;
}

/** The lists of conversations, one for each state, as far as they are loaded. */
export class Lists {
  readonly #lists = new Map<ConversationState, List>();

  readonly #client: Client;
  readonly #rows: Rows;
  readonly #size: number;
  readonly #notify: () => void;
  readonly #ready: () => Promise<void>;

  constructor(client: Client, rows: Rows, size: number, notify: () => void, ready: () => Promise<void>) {
    this.#client = client;
    this.#rows = rows;
    this.#size = size;
    this.#notify = notify;
    this.#ready = ready;
  }

  clear(): void {
    this.#lists.clear();
  }

  invalidate(): void {
    for (const list of this.#lists.values()) list.snapshot = undefined;
  }

  has(state: ConversationState): boolean {
    return this.#lists.has(state);
  }

  get(state: ConversationState): ConversationList {
    const list = this.#of(state);
    if (list.snapshot) return list.snapshot;
    const { bound, hasMore, isLoaded, error } = list;
    const isLoading = list.isLoading || (!isLoaded && !error);
    const conversations = [...this.#rows.conversations.values()]
      .filter((row) => row.state === state && (!hasMore || (bound && compare(row, bound) <= 0)))
      .sort(compare);
    return (list.snapshot = { conversations, hasMore, isLoading, error });
  }

  async load(state: ConversationState): Promise<void> {
    const list = this.#of(state);
    if (list.isLoading || !list.hasMore) return;
    this.#change(list, { isLoading: true, error: undefined });
    try {
      await this.#ready();
      const askedAt = this.#rows.clock;
      const page = await this.#client.conversations({
        filter: { states: [state] },
        orderBy: 'PINNED_FIRST',
        first: this.#size,
        after: list.cursor ?? undefined,
      });
      this.take(state, page, askedAt);
    } catch (error) {
      // A cursor from before the database was restored: begin anew.
      if (hasCode(error, 'BAD_USER_INPUT')) list.cursor = null;
      this.#change(list, { isLoading: false, error });
      throw error;
    }
  }

  take(state: ConversationState, { nodes, pageInfo }: Page<Conversation>, askedAt: number): void {
    for (const row of nodes) this.#rows.putConversation(row, askedAt);
    const bound = nodes.at(-1) ?? this.#of(state).bound;
    const { hasNextPage: hasMore, endCursor: cursor } = pageInfo;
    this.#change(this.#of(state), { bound, hasMore, cursor: cursor ?? this.#of(state).cursor, isLoaded: true, isLoading: false, error: undefined });
  }

  #change(list: List, change: Partial<List>): void {
    Object.assign(list, change, { snapshot: undefined });
    this.#notify();
  }

  #of(state: ConversationState): List {
    let list = this.#lists.get(state);
    if (!list) {
      list = { bound: undefined, cursor: null, hasMore: true, isLoaded: false, isLoading: false, error: undefined, snapshot: undefined };
      this.#lists.set(state, list);
    }
    return list;
  }
}

/** The order `PINNED_FIRST`. */
function compare(a: Conversation, b: Conversation): number {
  return (
    Number(a.pinnedAt === null) - Number(b.pinnedAt === null) ||
    // Both are in UTC with milliseconds, so that they compare as texts.
    descending(a.updatedAt, b.updatedAt) ||
    descending(a.id, b.id)
  );
}

function descending(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}
