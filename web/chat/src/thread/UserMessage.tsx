import { useCauserieMetadata } from '@causerie/assistant-ui';
import type { ReactElement, ReactNode } from 'react';
import { ActionBarPrimitive, ComposerPrimitive, MessagePrimitive } from '../primitives';
import { Icon } from '../shared/Icon';
import { useTexts } from '../texts';
import { CopyMessage } from './CopyMessage';
import { OutgoingMessage } from './OutgoingMessage';
import { TextField } from './TextField';
import { Versions } from './Versions';

const PARTS = { Text: ({ text }: { text: string }) => <p className="bubble" dir="auto">{text}</p> };

/** What the user has said, and the way to say it differently. */
export function UserMessage(): ReactElement | null {
  const texts = useTexts();
  const { message, outgoing } = useCauserieMetadata();
  if (outgoing) return <OutgoingMessage message={outgoing} />;
  if (!message) return null;
  return (
    <Said>
      <MessagePrimitive.Parts components={PARTS} />
      <div className="actions">
        <CopyMessage />
        <ActionBarPrimitive.Edit className="icon" aria-label={texts.actions.edit} title={texts.actions.edit}>
          <Icon name="edit" />
        </ActionBarPrimitive.Edit>
        <Versions message={message} />
      </div>
    </Said>
  );
}

/** In the place of a message while it is edited. An edit that fails is opened again by the runtime. */
export function Editor(): ReactElement {
  const texts = useTexts();
  return (
    <Said>
      <ComposerPrimitive.Root className="editor">
        <TextField label={texts.actions.edit} autoFocus />
        <div>
          <ComposerPrimitive.Cancel>{texts.actions.cancel}</ComposerPrimitive.Cancel>
          <ComposerPrimitive.Send className="primary">{texts.actions.save}</ComposerPrimitive.Send>
        </div>
      </ComposerPrimitive.Root>
    </Said>
  );
}

function Said({ children }: { children: ReactNode }): ReactElement {
  const texts = useTexts();
  return <article className="message user" aria-label={texts.message.by.USER}>{children}</article>;
}
