import type { Thread } from '@causerie/client';
import { useEffect, useRef, useState, type ReactElement } from 'react';
import { useTexts } from '../texts';

/** Tells screen readers that a reply begins and ends, rather than each of its words. */
export function LiveRegion({ thread }: { thread: Thread }): ReactElement {
  const texts = useTexts();
  const [said, setSaid] = useState('');
  // A short reply may have ended before it is shown as running: then it follows a message that was on its way.
  const awaited = useRef<{ last: string | undefined; isBegun: boolean } | undefined>(undefined);
  const running = thread.running[0];
  const isSending = thread.outgoing.some(({ state }) => state === 'sending');
  const message = thread.messages.at(-1);
  const last = message?.role === 'ASSISTANT' ? message.id : undefined;
  useEffect(() => {
    if (running || isSending) {
      // Emptied, as the same words as before would not be said again.
      if (!awaited.current) setSaid('');
      awaited.current ??= { last, isBegun: false };
      if (running?.status === 'GENERATING' && !awaited.current.isBegun) {
        awaited.current.isBegun = true;
        setSaid(texts.message.writing);
      }
    } else if (awaited.current && (awaited.current.isBegun || (last && last !== awaited.current.last))) {
      awaited.current = undefined;
      setSaid(texts.message.finished);
    }
  }, [running, isSending, last, texts]);
  return <p className="unseen" aria-live="polite">{said}</p>;
}
