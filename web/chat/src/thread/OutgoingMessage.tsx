import type { OutgoingMessage as Outgoing } from '@causerie/client';
import type { ReactElement } from 'react';
import { useAssistants } from '../assistants/Assistants';
import { reason } from '../shared/reason';
import { useReplica, useSession } from '../shared/replica';
import { useTexts } from '../texts';

/** A message that the server does not have yet. */
export function OutgoingMessage({ message }: { message: Outgoing }): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const isOffline = useReplica((it) => it.status === 'offline');
  const state = isOffline && message.state === 'sending' ? 'waiting' : message.state;
  const { currency } = useAssistants();
  return (
    <article className="message user" aria-label={texts.message.by.USER}>
      <p className="bubble outgoing" dir="auto">{message.content}</p>
      {state === 'sending' && <p className="status delayed">{texts.conversation.sending}</p>}
      {state === 'waiting' && <p className="status">{texts.conversation.waiting}</p>}
      {state === 'failed' && (
        <p className="status failed" role="alert">
          {texts.conversation.notSent(reason(message.error, texts, currency))}
          <button type="button" className="link" onClick={() => replica.resend(message.key)}>{texts.actions.retry}</button>
          <button type="button" className="link" onClick={() => replica.discard(message.key)}>{texts.actions.discard}</button>
        </p>
      )}
    </article>
  );
}
