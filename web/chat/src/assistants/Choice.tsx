import { useEffect, useState, type ReactElement } from 'react';
import { notify } from '../shared/notices';
import { useReplica, useSession } from '../shared/replica';
import { useTexts } from '../texts';
import type { Assistants } from './useAssistants';

interface Props {
  assistants: Assistants;
  /** The conversation to choose for; without one, the choice is for all that have none of their own. */
  conversation: string | undefined;
  onUsual: (id: string) => void;
}

const CHOSEN = 'query ($id: ID!) { conversation(id: $id) { assistantId } }';
const FOR_CONVERSATION = 'mutation ($input: UpdateConversationInput!) { updateConversation(input: $input) { conversation { id } } }';
const FOR_ALL = 'mutation ($input: ConfigureViewerInput!) { configureViewer(input: $input) { viewer { id } } }';

/** Which assistant answers, if there are several. */
export function Choice({ assistants: { all, usual }, conversation, onUsual }: Props): ReactElement | null {
  const { replica } = useSession();
  const texts = useTexts();
  const [chosen, setChosen] = useState<string | null>(null);
  // Another window may have chosen since: a choice changes the conversation.
  const revision = useReplica((it) => conversation && it.conversation(conversation)?.revision);
  const isOffered = all.length > 1;
  useEffect(() => {
    if (!isOffered || !conversation || !revision) return;
    const leaving = new AbortController();
    type Found = { conversation: { assistantId: string | null } | null };
    replica.client
      .query<Found>(CHOSEN, { id: conversation }, { signal: leaving.signal })
      .then((found) => setChosen(found.conversation?.assistantId ?? null))
      .catch(() => {});
    return () => leaving.abort();
  }, [replica, conversation, revision, isOffered]);
  if (!isOffered) return null;

  const choose = async (assistantId: string): Promise<void> => {
    try {
      if (conversation) await replica.client.query(FOR_CONVERSATION, { input: { conversationId: conversation, assistantId } });
      else await replica.client.query(FOR_ALL, { input: { assistantId } });
      if (conversation) setChosen(assistantId);
      else onUsual(assistantId);
    } catch (error) {
      notify(texts.notices.failed((error as Error).message));
    }
  };
  const value = (conversation && chosen) || usual || '';
  return (
    <select
      className="assistant"
      aria-label={texts.message.by.ASSISTANT}
      title={all.find(({ id }) => id === value)?.description ?? undefined}
      value={value}
      onChange={({ target }) => void choose(target.value)}
    >
      {all.some(({ id }) => id === value) || <option value={value}>{value}</option>}
      {all.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
    </select>
  );
}
