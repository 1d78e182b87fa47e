import { useAuiState } from '@assistant-ui/react';
import { useCauserieMetadata } from '@causerie/assistant-ui';
import type { Message } from '@causerie/client';
import type { ReactElement } from 'react';
import { ActionBarPrimitive } from '../primitives';
import { Icon } from '../shared/Icon';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import { useSession } from '../shared/replica';
import { go } from '../shared/route';
import { useTexts } from '../texts';
import { CopyMessage } from './CopyMessage';
import { Parts } from './Parts';
import { Took } from './Took';
import { Versions } from './Versions';

/** What the assistant has written, how it stands with it, and what can be done with it. */
export function Reply(): ReactElement | null {
  const texts = useTexts();
  const { message } = useCauserieMetadata();
  const isLast = useAuiState((state) => state.message.isLast);
  if (!message) return null;
  const running = message.status === 'GENERATING' || message.status === 'QUEUED';
  return (
    <article className={isLast ? 'message reply last' : 'message reply'} aria-label={texts.message.by.ASSISTANT} aria-busy={running}>
      <Parts />
      <Status message={message} />
      {!running && <Actions message={message} />}
    </article>
  );
}

function Status({ message }: { message: Message }): ReactElement | null {
  const { replica } = useSession();
  const texts = useTexts();
  const retry = (): void => {
    void replica.retry({ messageId: message.id }).catch((error: unknown) => notify(texts.notices.failed(reason(error, texts))));
  };
  const again = (
    <button type="button" className="link" onClick={retry}>{texts.actions.retry}</button>
  );
  switch (message.status) {
    case 'QUEUED':
      return <p className="status">{texts.message.queued}</p>;
    case 'GENERATING':
      return message.parts.length === 0 ? <p className="status writing" aria-label={texts.message.writing}><i /><i /><i /></p> : null;
    case 'STOPPED':
      return <p className="status">{texts.message.stopped} {again}</p>;
    case 'FAILED':
      return (
        <p className="status failed">
          {texts.message.failed[message.failure?.code ?? ''] ?? message.failure?.message} {again}
        </p>
      );
    default:
      return message.finishReason === 'LENGTH' ? <p className="status">{texts.message.length}</p> : null;
  }
}

function Actions({ message }: { message: Message }): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const { regenerate, rateUp, rateDown, fork } = texts.actions;
  const rating = message.feedback?.rating;
  const forkHere = async (): Promise<void> => {
    try {
      const { id } = await replica.client.fork(message.id);
      go({ conversation: id });
    } catch (error) {
      notify(texts.notices.failed(reason(error, texts)));
    }
  };
  const isEmpty = message.parts.length === 0;
  return (
    <div className="actions">
      {!isEmpty && <CopyMessage />}
      <ActionBarPrimitive.Reload className="icon" aria-label={regenerate} title={regenerate}>
        <Icon name="refresh" />
      </ActionBarPrimitive.Reload>
      {!isEmpty && (
        <>
          <ActionBarPrimitive.FeedbackPositive className="icon" aria-label={rateUp} title={rateUp} aria-pressed={rating === 'UP'}>
            <Icon name="up" />
          </ActionBarPrimitive.FeedbackPositive>
          <ActionBarPrimitive.FeedbackNegative className="icon" aria-label={rateDown} title={rateDown} aria-pressed={rating === 'DOWN'}>
            <Icon name="down" />
          </ActionBarPrimitive.FeedbackNegative>
          <button type="button" className="icon" aria-label={fork} title={fork} onClick={() => void forkHere()}>
            <Icon name="fork" />
          </button>
        </>
      )}
      <Versions message={message} />
      <Took message={message} />
    </div>
  );
}
