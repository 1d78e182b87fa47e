import { useAui, useAuiState } from '@assistant-ui/react';
import type { Message } from '@causerie/client';
import { useEffect, useRef, type ReactElement } from 'react';
import { ComposerPrimitive } from '../primitives';
import { Icon } from '../shared/Icon';
import { useSession } from '../shared/replica';
import { useTexts } from '../texts';
import { Remaining } from '../usage/Remaining';
import { placeOf } from './Drafts';
import { TextField } from './TextField';

interface Props {
  /** Where the draft is kept that is shown. */
  place: string;
  running: Message | undefined;
  /** The last message of the conversation. */
  last?: Message | undefined;
}

/** The place to write a message. */
export function Composer({ place, running, last }: Props): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const aui = useAui();
  const field = useRef<HTMLTextAreaElement>(null);
  // For a moment, another conversation has the runtime: nothing must be written there.
  const isHere = useAuiState((state) => placeOf(replica, state.threads.mainThreadId) === place);
  const isBlank = useAuiState((state) => !state.composer.text.trim());
  useEffect(() => {
    if (matchMedia('(pointer: fine)').matches) field.current?.focus();
  }, []);

  return (
    <>
      <ComposerPrimitive.Root className="composer">
        <TextField
          ref={field}
          label={texts.composer.label}
          placeholder={texts.composer.placeholder}
          readOnly={!isHere}
          onEscape={() => running && aui.composer.cancel()}
        />
        {running && isBlank ? (
          <ComposerPrimitive.Cancel className="round" aria-label={texts.actions.stop} title={texts.actions.stop}>
            <Icon name="stop" />
          </ComposerPrimitive.Cancel>
        ) : (
          <ComposerPrimitive.Send className="round" aria-label={texts.actions.send} title={texts.actions.send}>
            <Icon name="arrowUp" />
          </ComposerPrimitive.Send>
        )}
      </ComposerPrimitive.Root>
      <Remaining last={last} />
    </>
  );
}
