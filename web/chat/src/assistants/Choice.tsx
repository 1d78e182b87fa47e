import type { ReactElement } from 'react';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import { useSession } from '../shared/replica';
import { useTexts } from '../texts';
import { useAssistants } from './Assistants';

interface Props {
  /** The conversation to choose for; without one, the choice is for all that have none of their own. */
  conversation: string | undefined;
  /** The one that is chosen for the conversation. */
  chosen: string | null | undefined;
}

/** Which assistant answers, if there are several. */
export function Choice({ conversation, chosen }: Props): ReactElement | null {
  const { replica } = useSession();
  const texts = useTexts();
  const { all, usual, setUsual } = useAssistants();
  if (all.length < 2) return null;

  const choose = async (assistantId: string): Promise<void> => {
    try {
      if (conversation) await replica.updateConversation({ conversationId: conversation, assistantId });
      else {
        await replica.client.configureViewer({ assistantId });
        setUsual(assistantId);
      }
    } catch (error) {
      notify(texts.notices.failed(reason(error, texts)));
    }
  };
  const value = chosen ?? usual ?? '';
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
