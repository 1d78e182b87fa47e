import type { Message, MessagePart, Rating } from '@causerie/client';
import { memo, type ReactElement } from 'react';
import { Markdown } from '../markdown/Markdown';
import { Copy } from '../shared/Copy';
import { Icon, type IconName } from '../shared/Icon';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import { useSession } from '../shared/replica';
import { go } from '../shared/route';
import { useTexts } from '../texts';
import { Took } from './Took';
import { Versions } from './Versions';

/** What the assistant has written, how it stands with it, and what can be done with it. */
export const Reply = memo(function Reply({ message, last }: { message: Message; last: boolean }): ReactElement {
  const texts = useTexts();
  const running = message.status === 'GENERATING' || message.status === 'QUEUED';
  return (
    <article className={last ? 'message reply last' : 'message reply'} aria-label={texts.message.by.ASSISTANT} aria-busy={running}>
      {message.parts.map((part, index) => (
        <Part key={index} part={part} open={running && index === message.parts.length - 1} />
      ))}
      <Status message={message} />
      {!running && <Actions message={message} />}
    </article>
  );
});

function Part({ part, open }: { part: MessagePart; open: boolean }): ReactElement | null {
  const texts = useTexts();
  switch (part.__typename) {
    case 'TextPart':
      return <Markdown text={part.text} />;
    case 'ReasoningPart': {
      const seconds = part.finishedAt ? Math.round((Date.parse(part.finishedAt) - Date.parse(part.startedAt)) / 1000) : 0;
      return (
        <details className="aside">
          <summary>{open && !part.finishedAt ? texts.message.thinking : texts.message.thought(seconds)}</summary>
          <Markdown text={part.text} />
        </details>
      );
    }
    case 'ToolCall':
      return (
        <details className="aside">
          <summary>{texts.message.tool(part.name)}</summary>
          <pre dir="ltr" tabIndex={0}><code>{part.arguments}</code></pre>
        </details>
      );
    default:
      return null;
  }
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
  const failed = (error: unknown): void => notify(texts.notices.failed(reason(error, texts)));
  const rating = message.feedback?.rating;
  const rate = (wanted: Rating): void => {
    void replica.rate(message.id, rating === wanted ? null : wanted).catch(failed);
  };
  const fork = async (): Promise<void> => {
    try {
      const { id } = await replica.client.fork(message.id);
      go({ conversation: id });
    } catch (error) {
      failed(error);
    }
  };
  const button = (icon: IconName, label: string, run: () => void, pressed?: boolean): ReactElement => (
    <button type="button" className="icon" aria-label={label} title={label} aria-pressed={pressed} onClick={run}>
      <Icon name={icon} />
    </button>
  );
  const isEmpty = message.parts.length === 0;
  return (
    <div className="actions">
      {!isEmpty && <Copy text={message.content} label={texts.actions.copy} />}
      {button('refresh', texts.actions.regenerate, () => void replica.regenerate({ messageId: message.id }).catch(failed))}
      {!isEmpty && button('up', texts.actions.rateUp, () => rate('UP'), rating === 'UP')}
      {!isEmpty && button('down', texts.actions.rateDown, () => rate('DOWN'), rating === 'DOWN')}
      {!isEmpty && button('fork', texts.actions.fork, () => void fork())}
      <Versions message={message} />
      <Took message={message} />
    </div>
  );
}
