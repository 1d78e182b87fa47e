import type { ExternalStoreThreadData, ExternalStoreThreadListAdapter } from '@assistant-ui/react';
import type { Conversation, Replica } from '@causerie/client';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useReplica } from './replica.js';

export interface ThreadSelection {
  /** The conversation that is shown; `undefined` for a new one. */
  readonly threadId?: string | undefined;
  /** Is told of the conversation to show, once it has an id. */
  readonly onThreadIdChange?: ((threadId: string | undefined) => void) | undefined;
  /**
   * Is told of the key of a message that has begun a thread here. It is the `threadId` until there is an id: an address
   * with it is still right after a reload without a connection.
   */
  readonly onThreadBegin?: ((key: string) => void) | undefined;
  /**
   * Whether assistant-ui has the lists of threads, as it does by default. An app that draws its own from the replica saves
   * their upkeep, and the loading of archived ones.
   */
  readonly threadList?: boolean | undefined;
}

const NO_LIST = { conversations: [], hasMore: false, isLoading: true, error: undefined };

/**
 * Which thread is shown, and the lists of threads. A thread that was begun here keeps the key of its first message as its
 * id in assistant-ui: a new id would be a new thread with an empty composer.
 */
export function useThreads(replica: Replica, selection: ThreadSelection) {
  const isControlled = 'threadId' in selection;
  const [own, setOwn] = useState<string>();
  const [begun, setBegun] = useState<string>();
  const keys = useRef<readonly string[]>([]);
  const given = isControlled ? selection.threadId : own;
  // What was begun is shown until something else is chosen.
  const [lastGiven, setLastGiven] = useState(given);
  if (lastGiven !== given) {
    setLastGiven(given);
    setBegun(undefined);
  }
  const chosen = given ?? (lastGiven === given ? begun : undefined);
  // A key that was given as an id, as after a reload, stays the id of its thread too.
  const before = useRef(chosen);
  if (before.current !== undefined && before.current !== chosen && replica.resolve(before.current) === chosen) {
    keys.current = [...keys.current, before.current];
  }
  before.current = chosen;

  /** The id in assistant-ui of a conversation. */
  const idOf = (id: string) => keys.current.find((key) => replica.resolve(key) === id) ?? id;
  const threadId = chosen === undefined ? undefined : idOf(chosen);

  const choose = (id: string | undefined) => {
    setBegun(undefined);
    const resolved = id === undefined ? undefined : replica.resolve(id);
    setOwn(resolved);
    selection.onThreadIdChange?.(resolved);
  };

  // A key that stands for a conversation is replaced once there is an id.
  const resolved = useReplica(replica, () => (chosen === undefined ? undefined : replica.resolve(chosen)), chosen);
  const isSettled = resolved !== undefined && resolved !== chosen;
  useEffect(() => {
    if (isSettled) choose(resolved);
  }, [isSettled, resolved]);

  const { threadList = true } = selection;
  const active = useReplica(replica, () => (threadList ? replica.list() : NO_LIST), NO_LIST);
  const archived = useReplica(replica, () => (threadList ? replica.list('ARCHIVED') : NO_LIST), NO_LIST);
  // The ids change only with what is shown.
  const threads = useMemo(() => active.conversations.map((row) => dataOf(row, 'regular', idOf)), [active, threadId]);
  const archivedThreads = useMemo(() => archived.conversations.map((row) => dataOf(row, 'archived', idOf)), [archived, threadId]);

  const update = async (id: string, change: { title?: string; archived?: boolean }) => {
    await replica.updateConversation({ conversationId: replica.resolve(id), ...change });
  };
  const adapter: ExternalStoreThreadListAdapter = {
    threadId,
    isLoading: threadList && active.isLoading,
    threads,
    archivedThreads,
    onSwitchToNewThread: () => choose(undefined),
    onSwitchToThread: choose,
    onRename: (id, title) => update(id, { title }),
    onArchive: (id) => update(id, { archived: true }),
    onUnarchive: (id) => update(id, { archived: false }),
    onDelete: async (id) => {
      await replica.deleteConversation(replica.resolve(id));
      if (id === threadId) choose(undefined);
    },
  };
  return {
    threadId,
    adapter,
    /** Shows the thread that an outgoing message has begun. */
    begin(key: string) {
      keys.current = [...keys.current, key];
      setBegun(key);
      selection.onThreadBegin?.(key);
    },
  };
}

function dataOf<Status extends 'regular' | 'archived'>(row: Conversation, status: Status, idOf: (id: string) => string): ExternalStoreThreadData<Status> {
  return { id: idOf(row.id), remoteId: row.id, status, title: row.title ?? undefined, custom: { conversation: row } };
}
