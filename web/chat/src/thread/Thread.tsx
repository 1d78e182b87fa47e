import { useCallback, useEffect, useMemo, useRef, useState, type ReactElement } from 'react';
import { ThreadPrimitive } from '../primitives';
import { Icon } from '../shared/Icon';
import { useReplica, useSession } from '../shared/replica';
import { go } from '../shared/route';
import { useTexts } from '../texts';
import { Anchor } from './Anchor';
import { Composer } from './Composer';
import { LiveRegion } from './LiveRegion';
import { Reply } from './Reply';
import { useShown } from './useShown';
import { useWindow } from './useWindow';
import { Editor, UserMessage } from './UserMessage';

/** A thread of more messages than this is forgotten when it is left, and loaded again when it is opened. */
const KEPT = 300;
const COMPONENTS = { UserMessage, AssistantMessage: Reply, UserEditComposer: Editor };

/** A conversation: its messages, and the place to write the next one. */
export function Thread({ id, message }: { id: string; message: string | undefined }): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const thread = useReplica((it) => it.thread(id));
  const conversation = useReplica((it) => it.conversation(id));
  const isOffline = useReplica((it) => it.status === 'offline');
  const { messages, outgoing } = thread;
  const loadOlder = useCallback(() => void replica.loadOlder(id).catch(() => {}), [replica, id]);
  const shown = useShown(id);
  const view = useWindow(messages, shown, thread.hasOlder ? loadOlder : undefined);

  // Where the unread messages begin when the conversation is opened.
  const firstUnread = useRef<string | undefined>(undefined);
  const [isBegunHere] = useState(outgoing.length > 0);
  const [opened, setOpened] = useState(false);
  if (!opened && messages.length > 0 && conversation) {
    setOpened(true);
    if (conversation.unreadCount > 0 && !message && !isBegunHere) firstUnread.current = messages.at(-conversation.unreadCount)?.id;
  }
  const at = useMemo(
    () => (message ? messages.findIndex((it) => it.id === message) : -1),
    [message, messages],
  );
  const { reveal, toEnd, isAtEnd } = view;
  const shownMessage = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (message && at < 0) void replica.reveal(id, message).catch(() => {});
  }, [replica, id, message, at < 0]);
  useEffect(() => {
    if (!message || at < 0 || shownMessage.current === message) return;
    shownMessage.current = message;
    reveal(at);
  }, [message, at, reveal]);
  useEffect(() => {
    const index = messages.findIndex((it) => it.id === firstUnread.current);
    if (opened && index >= 0) reveal(index);
    // Only when it is opened.
  }, [opened]);

  // What is in sight is read.
  const unread = conversation?.unreadCount ?? 0;
  useEffect(() => {
    const read = (): void => {
      if (unread > 0 && isAtEnd() && document.visibilityState === 'visible') void replica.markRead(id).catch(() => {});
    };
    read();
    document.addEventListener('visibilitychange', read);
    return () => document.removeEventListener('visibilitychange', read);
  }, [replica, id, unread, view.atEnd, isAtEnd]);

  useEffect(
    () => () => {
      if (replica.thread(id).messages.length > KEPT) replica.forget(id);
    },
    [replica, id],
  );

  // What is sent is to be seen.
  const sent = outgoing.at(-1)?.key;
  useEffect(() => {
    if (sent) toEnd();
  }, [sent, toEnd]);

  const empty = messages.length === 0 && outgoing.length === 0;
  return (
    <>
      <div className="viewport" ref={view.viewport} onScroll={view.onScroll} tabIndex={0} role="region" aria-label={texts.conversation.label}>
        <div className="messages" ref={view.content}>
          <Anchor hold={view.hold} restore={view.restore} of={shown} />
          {thread.isLoading && empty && <p className="hint">{isOffline ? texts.conversation.unloaded : texts.conversation.loading}</p>}
          {Boolean(thread.error) && empty && (
            <p className="hint" role="alert">{texts.conversation.loadFailed}</p>
          )}
          {!thread.isLoading && !thread.error && empty && (
            <p className="hint">{conversation ? texts.conversation.empty : texts.conversation.missing}</p>
          )}
          {shown.map((it) => (
            <div key={it} data-message={it} className={it === message ? 'sought' : undefined}>
              {it === firstUnread.current && <p className="divider"><span>{texts.conversation.unread}</span></p>}
              <ThreadPrimitive.MessageById messageId={it} components={COMPONENTS} />
            </div>
          ))}
        </div>
      </div>
      <div className="foot">
        {!view.atEnd && (
          <button
            type="button"
            className="icon to-end"
            aria-label={texts.conversation.jumpToEnd}
            title={texts.conversation.jumpToEnd}
            onClick={() => {
              if (message) go({ conversation: id }, true);
              toEnd();
            }}
          >
            <Icon name="arrowDown" />
          </button>
        )}
        <Composer place={id} running={thread.running[0]} last={messages.at(-1)} />
      </div>
      <LiveRegion thread={thread} />
    </>
  );
}
