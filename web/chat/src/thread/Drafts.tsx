import { useAui, useAuiState } from '@assistant-ui/react';
import type { Replica } from '@causerie/client';
import { useLayoutEffect, useRef } from 'react';
import { moveDraft, NEW, readDraft, writeDraft } from '../shared/drafts';
import { useReplica, useSession } from '../shared/replica';

/** What assistant-ui calls a thread that has not begun. */
const NEW_THREAD = 'DEFAULT_THREAD_ID';

/** Where the draft of a thread of assistant-ui is kept. */
export function placeOf(replica: Replica, thread: string): string {
  return thread === NEW_THREAD ? NEW : replica.resolve(thread);
}

/** Keeps what is written in each thread's composer until it is sent, and puts it there again. */
export function Drafts(): null {
  const { userId } = useSession();
  const aui = useAui();
  const thread = useAuiState((state) => state.threads.mainThreadId);
  const text = useAuiState((state) => state.composer.text);
  const place = useReplica((it) => placeOf(it, thread));
  const kept = useRef<{ thread: string; place: string }>(undefined);
  useLayoutEffect(() => {
    const before = kept.current;
    kept.current = { thread, place };
    // The composer of a thread that has just been opened is empty.
    if (before?.thread !== thread) return aui.composer.setText(readDraft(userId, place));
    // What was written before the conversation had its id belongs to the conversation.
    if (before.place !== place) moveDraft(userId, before.place, place);
    writeDraft(userId, place, text);
  }, [aui, userId, thread, place, text]);
  return null;
}
