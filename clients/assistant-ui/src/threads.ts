import type { ExternalStoreThreadData, ExternalStoreThreadListAdapter } from '@assistant-ui/react';
import type { Conversation, Replica } from '@causerie/client';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useReplica } from './replica.js';

export interface ThreadSelection {
  /** The conversation that is shown; `undefined` for a new one. */
  readonly threadId?: string | undefined;
  /** Is told of the conversation to show, once it has an id. */
  readonly onThreadIdChange?: ((threadId: string | undefined) => void) | undefined;
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
  const chosen = (isControlled ? selection.threadId : own) ?? begun;

  /** The id in assistant-ui of a conversation. */
  const idOf = (id: string) => keys.current.find((key) => replica.resolve(key) === id) ?? id;
  const threadId = chosen === undefined ? undefined : idOf(chosen);

  const choose = (id: string | undefined) => {
    setBegun(undefined);
    const resolved = id === undefined ? undefined : replica.resolve(id);
    setOwn(resolved);
    selection.onThreadIdChange?.(resolved);
  };

  // A conversation that was begun here has its id by now.
  const resolved = useReplica(replica, () => (begun === undefined ? undefined : replica.resolve(begun)), undefined);
  const isSettled = begun !== undefined && resolved !== undefined && resolved !== begun;
  useEffect(() => {
    if (isSettled) choose(resolved);
  }, [isSettled, resolved]);

  const active = useReplica(replica, () => replica.list(), NO_LIST);
  const archived = useReplica(replica, () => replica.list('ARCHIVED'), NO_LIST);
  // The ids change only with what is shown.
  const threads = useMemo(() => active.conversations.map((row) => dataOf(row, 'regular', idOf)), [active, threadId]);
  const archivedThreads = useMemo(() => archived.conversations.map((row) => dataOf(row, 'archived', idOf)), [archived, threadId]);

  const update = async (id: string, change: { title?: string; archived?: boolean }) => {
    await replica.updateConversation({ conversationId: replica.resolve(id), ...change });
  };
  const adapter: ExternalStoreThreadListAdapter = {
    threadId,
    isLoading: active.isLoading,
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
    },
  };
}

function dataOf<Status extends 'regular' | 'archived'>(row: Conversation, status: Status, idOf: (id: string) => string): ExternalStoreThreadData<Status> {
  return { id: idOf(row.id), remoteId: row.id, status, title: row.title ?? undefined, custom: { conversation: row } };
}
