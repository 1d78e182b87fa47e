import { hasCode } from '../error.js';
import type { Client, ConversationList } from '../interface.js';
import type { Conversation, ConversationState, Page } from '../types.js';
import { isComing, UNLOADED, type Loader, type Loading } from './loading.js';
import type { Rows } from './rows.js';

interface List extends Loading<ConversationList> {
  /** Where the pages that were loaded end, in the order of conversations. */
  bound: string;
  cursor: string | undefined;
  hasMore: boolean;
}

/** The lists of conversations, one for each state, as far as they are loaded. */
export function createLists(client: Client, rows: Rows, size: number, { change, load }: Loader) {
  const lists = new Map<ConversationState, List>();

  function listOf(state: ConversationState): List {
    const list = lists.get(state) ?? { ...UNLOADED, bound: LAST, cursor: undefined, hasMore: true };
    lists.set(state, list);
    return list;
  }

  /** Keeps the rows of a page, and tells how far the list is loaded with it. */
  function keep({ nodes, pageInfo: { endCursor, hasNextPage } }: Page<Conversation>, askedAt: number): Partial<List> {
    for (const row of nodes) rows.putConversation(row, askedAt);
    const last = nodes.at(-1);
    return { isLoaded: true, hasMore: hasNextPage, ...(last && { bound: orderOf(last), cursor: endCursor! }) };
  }

  return {
    clear: () => lists.clear(),
    has: (state: ConversationState) => lists.has(state),
    /** Takes the first page of active conversations. */
    begin: (page: Page<Conversation>, askedAt: number) => change(listOf('ACTIVE'), keep(page, askedAt)),
    invalidate(): void {
      for (const list of lists.values()) list.snapshot = undefined;
    },

    get(state: ConversationState): ConversationList {
      const list = listOf(state);
      const { bound, hasMore, error } = list;
      return (list.snapshot ??= {
        conversations: [...rows.conversations.values()]
          .filter((row) => row.state === state && (!hasMore || orderOf(row) >= bound))
          .sort((a, b) => (orderOf(a) < orderOf(b) ? 1 : -1)),
        hasMore,
        isLoading: isComing(list),
        error,
      });
    },

    async load(state: ConversationState): Promise<void> {
      const list = listOf(state);
      if (!list.hasMore) return;
      await load(list, async (askedAt) => {
        const page = { filter: { states: [state] }, orderBy: 'PINNED_FIRST', first: size, after: list.cursor } as const;
        return keep(await client.conversations(page), askedAt);
      }).catch((error) => {
        // A cursor from before the database was restored: begin anew.
        if (hasCode(error, 'BAD_USER_INPUT')) list.cursor = undefined;
        throw error;
      });
    },
  };
}

/** Greater than the order of any conversation. */
const LAST = '2';

/** Greater for those that come first in the order `PINNED_FIRST`: times are in UTC with milliseconds. */
function orderOf({ pinnedAt, updatedAt, id }: Conversation): string {
  return (pinnedAt ? 1 : 0) + updatedAt + id;
}
