import type { Message } from '@causerie/client';
import { useEffect, useRef, useState, type ReactElement } from 'react';
import { useTexts } from '../texts';

/** Tells screen readers that a reply begins and ends, rather than each of its words. */
export function LiveRegion({ running }: { running: Message | undefined }): ReactElement {
  const texts = useTexts();
  const [said, setSaid] = useState('');
  const before = useRef<string | undefined>(undefined);
  const id = running?.status === 'GENERATING' ? running.id : undefined;
  useEffect(() => {
    if (id) setSaid(texts.message.writing);
    else if (before.current) setSaid(texts.message.finished);
    before.current = id;
  }, [id, texts]);
  return <p className="unseen" aria-live="polite">{said}</p>;
}
