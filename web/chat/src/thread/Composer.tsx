import type { Message } from '@causerie/client';
import { useEffect, useRef, useState, type FormEvent, type ReactElement } from 'react';
import { moveDraft, readDraft, writeDraft } from '../shared/drafts';
import { Icon } from '../shared/Icon';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import { useSession } from '../shared/replica';
import { go } from '../shared/route';
import { useTexts } from '../texts';
import { Remaining } from '../usage/Remaining';
import { TextField } from './TextField';

interface Props {
  /** Under which the draft is kept. */
  place: string;
  conversation: string | undefined;
  running: Message | undefined;
  /** The last message of the conversation. */
  last?: Message | undefined;
}

/** The place to write a message. What is written there is kept until it is sent. */
export function Composer({ place, conversation, running, last }: Props): ReactElement {
  const { replica, userId } = useSession();
  const texts = useTexts();
  const [text, setText] = useState(() => readDraft(userId, place));
  const kept = useRef(place);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (matchMedia('(pointer: fine)').matches) field.current?.focus();
  }, []);

  // What was written before the conversation had its id belongs to the conversation.
  useEffect(() => {
    if (kept.current === place) return;
    moveDraft(userId, kept.current, place);
    kept.current = place;
  }, [userId, place]);

  const write = (next: string): void => {
    setText(next);
    writeDraft(userId, place, next);
  };
  const send = (event?: FormEvent): void => {
    event?.preventDefault();
    if (!text.trim()) return;
    const outgoing = replica.send(conversation ? { conversationId: conversation, content: text } : { content: text });
    write('');
    if (!conversation) go({ conversation: outgoing.key });
  };
  const stop = (): void => {
    if (running) void replica.stopReply(running.id).catch((error: unknown) => notify(texts.notices.failed(reason(error, texts))));
  };
  const stoppable = running && !text.trim();

  return (
    <>
      <form className="composer" onSubmit={send}>
        <TextField
          ref={field}
          label={texts.composer.label}
          placeholder={texts.composer.placeholder}
          value={text}
          onChange={write}
          onEnter={send}
          onEscape={stop}
        />
        {stoppable ? (
          <button type="button" className="round" aria-label={texts.actions.stop} title={texts.actions.stop} onClick={stop}>
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" className="round" aria-label={texts.actions.send} title={texts.actions.send} disabled={!text.trim()}>
            <Icon name="arrowUp" />
          </button>
        )}
      </form>
      <Remaining last={last} />
    </>
  );
}
