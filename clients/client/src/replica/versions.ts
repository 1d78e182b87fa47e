import type { Message } from '../types.js';

interface Group {
  readonly conversation: string;
  /** The ids, oldest first, and how many older ones there are before them. */
  readonly ids: readonly string[];
  readonly before: number;
}

export type Versions = ReturnType<typeof createVersions>;

/** The versions of each message of the threads that are held: the feed tells only of those that come and go. */
export function createVersions() {
  const groups = new Map<string, Group>();

  function put(row: Message, ids: readonly string[], count = ids.length): void {
    groups.set(keyOf(row), { conversation: row.conversation.id, ids, before: count - ids.length });
  }

  return {
    put,
    clear: () => groups.clear(),
    forget(conversationId: string): void {
      for (const [key, { conversation }] of groups) if (conversation === conversationId) groups.delete(key);
    },
    of: (row: Message): readonly string[] => groups.get(keyOf(row))?.ids ?? [row.id],

    /** The row with its place among its versions. */
    place(row: Message): Message {
      const group = groups.get(keyOf(row));
      const index = group ? group.ids.indexOf(row.id) : -1;
      if (!group || index < 0) return row;
      const { ids, before } = group;
      const place = {
        siblingIndex: before + index,
        siblingCount: before + ids.length,
        previousVersionId: ids[index - 1] ?? (before ? row.previousVersionId : null),
        nextVersionId: ids[index + 1] ?? null,
      };
      const isSame = (Object.keys(place) as (keyof typeof place)[]).every((field) => row[field] === place[field]);
      return isSame ? row : { ...row, ...place };
    },

    /** Whether all versions of a row are known. A row that is up to date tells their number, and may name each of them. */
    covers(row: Message, isUpToDate: boolean): boolean {
      const known = groups.get(keyOf(row));
      const group = known && !known.ids.includes(row.id) ? { ...known, ids: [...known.ids, row.id] } : known;
      if (group) groups.set(keyOf(row), group);
      if (group && (!isUpToDate || group.before + group.ids.length === row.siblingCount)) return true;
      if (!isUpToDate) return false;
      const ids = [row.previousVersionId, row.id, row.nextVersionId].filter((id) => id !== null);
      if (ids.length !== row.siblingCount) return false;
      put(row, ids);
      return true;
    },

    /** Takes a version out, and returns the ids of the others. */
    remove(id: string): readonly string[] {
      for (const [key, group] of groups) {
        if (!group.ids.includes(id)) continue;
        const ids = group.ids.filter((other) => other !== id);
        groups.set(key, { ...group, ids });
        return ids;
      }
      return [];
    },
  };
}

/** What the versions of a message have in common: the message before them, or the conversation that they begin. */
function keyOf({ parent, conversation }: Message): string {
  return parent?.id ?? conversation.id;
}
