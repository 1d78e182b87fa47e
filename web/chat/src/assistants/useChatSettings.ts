import type { Settings } from '@causerie/client';
import { useEffect, useState } from 'react';
import { useReplica, useSession } from '../shared/replica';

/** What was chosen for a conversation, here or in another window. */
export function useChatSettings(conversation: string | undefined): Settings | undefined {
  const { replica } = useSession();
  const [found, setFound] = useState<{ of: string; settings: Settings }>();
  // A choice changes the conversation. One that has just been begun has none yet.
  const revision = useReplica((it) => conversation && it.conversation(conversation)?.revision);
  useEffect(() => {
    if (!conversation || !revision) return;
    const leaving = new AbortController();
    replica.client
      .settings(conversation, { signal: leaving.signal })
      .then((settings) => settings && setFound({ of: conversation, settings }))
      .catch(() => {});
    return () => leaving.abort();
  }, [replica, conversation, revision]);
  return found?.of === conversation ? found?.settings : undefined;
}
