import type { Message } from '@causerie/client';
import type { ReactElement } from 'react';
import { Icon } from '../shared/Icon';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import { useSession } from '../shared/replica';
import { useTexts } from '../texts';

/** The arrows between the versions of a message. */
export function Versions({ message }: { message: Message }): ReactElement | null {
  const { replica } = useSession();
  const texts = useTexts();
  if (message.siblingCount < 2) return null;
  const show = (id: string | null): void => {
    if (id) void replica.activate(id).catch((error: unknown) => notify(texts.notices.failed(reason(error, texts))));
  };
  const { siblingIndex, siblingCount, previousVersionId, nextVersionId } = message;
  return (
    <span className="versions" role="group" aria-label={texts.message.version(siblingIndex + 1, siblingCount)}>
      <button type="button" className="icon" aria-label={texts.message.previousVersion} disabled={!previousVersionId} onClick={() => show(previousVersionId)}>
        <Icon name="left" />
      </button>
      <span>{siblingIndex + 1} / {siblingCount}</span>
      <button type="button" className="icon" aria-label={texts.message.nextVersion} disabled={!nextVersionId} onClick={() => show(nextVersionId)}>
        <Icon name="right" />
      </button>
    </span>
  );
}
