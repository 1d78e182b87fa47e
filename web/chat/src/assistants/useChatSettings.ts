import type { Parameters } from '@causerie/client';
import { useEffect, useState } from 'react';
import { useReplica, useSession } from '../shared/replica';

/** What was chosen for one conversation. */
export interface ChatSettings {
  assistantId: string | null;
  parameters: Parameters | null;
  instructions: string | null;
}

const DOCUMENT = `query ($id: ID!) { conversation(id: $id) {
  assistantId parameters { temperature topP maxTokens reasoningEffort } instructions } }`;

/** What was chosen for a conversation, here or in another window. */
export function useChatSettings(conversation: string | undefined): ChatSettings | undefined {
  const { replica } = useSession();
  const [found, setFound] = useState<{ of: string; settings: ChatSettings }>();
  // A choice changes the conversation. One that has just been begun has none yet.
  const revision = useReplica((it) => conversation && it.conversation(conversation)?.revision);
  useEffect(() => {
    if (!conversation || !revision) return;
    const leaving = new AbortController();
    type Found = { conversation: ChatSettings | null };
    replica.client
      .query<Found>(DOCUMENT, { id: conversation }, { signal: leaving.signal })
      .then(({ conversation: settings }) => settings && setFound({ of: conversation, settings }))
      .catch(() => {});
    return () => leaving.abort();
  }, [replica, conversation, revision]);
  return found?.of === conversation ? found?.settings : undefined;
}
