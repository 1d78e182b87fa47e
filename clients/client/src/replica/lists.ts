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
export function createLists(client: Client, rows: Rows, size: number, notify: () => void, ready: () => Promise<void>) {
  const lists = new Map<ConversationState, List>();

  function listOf(state: ConversationState): List {
    const list = lists.get(state) ?? {
      bound: undefined, cursor: null, hasMore: true, isLoaded: false, isLoading: false, error: undefined, snapshot: undefined,
    };
    lists.set(state, list);
    return list;
  }

  function change(list: List, to: Partial<List>): void {
    Object.assign(list, to, { snapshot: undefined });
    notify();
  }

  function take(state: ConversationState, { nodes, pageInfo }: Page<Conversation>, askedAt: number): void {
    for (const row of nodes) rows.putConversation(row, askedAt);
    const list = listOf(state);
    change(list, {
      bound: nodes.at(-1) ?? list.bound,
      cursor: pageInfo.endCursor ?? list.cursor,
      hasMore: pageInfo.hasNextPage,
      isLoaded: true,
      isLoading: false,
      error: undefined,
    });
  }

  return {
    take,
    clear: () => lists.clear(),
    has: (state: ConversationState) => lists.has(state),
    invalidate(): void {
      for (const list of lists.values()) list.snapshot = undefined;
    },

    get(state: ConversationState): ConversationList {
      const list = listOf(state);
      const { bound, hasMore, isLoaded, error } = list;
      return (list.snapshot ??= {
        conversations: [...rows.conversations.values()]
          .filter((row) => row.state === state && (!hasMore || (bound && compare(row, bound) <= 0)))
          .sort(compare),
        hasMore,
        isLoading: list.isLoading || (!isLoaded && !error),
        error,
      });
    },

    async load(state: ConversationState): Promise<void> {
      const list = listOf(state);
      if (list.isLoading || !list.hasMore) return;
      change(list, { isLoading: true, error: undefined });
      try {
        await ready();
        const askedAt = rows.clock();
        const after = list.cursor ?? undefined;
        take(state, await client.conversations({ filter: { states: [state] }, orderBy: 'PINNED_FIRST', first: size, after }), askedAt);
      } catch (error) {
        // A cursor from before the database was restored: begin anew.
        if (hasCode(error, 'BAD_USER_INPUT')) list.cursor = null;
        change(list, { isLoading: false, error });
        throw error;
      }
    },
  };
}

/** The order `PINNED_FIRST`. */
function compare(a: Conversation, b: Conversation): number {
  return (
    Number(!a.pinnedAt) - Number(!b.pinnedAt) ||
    // Both are in UTC with milliseconds, so that they compare as texts.
    descending(a.updatedAt, b.updatedAt) ||
    descending(a.id, b.id)
  );
}

function descending(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}
