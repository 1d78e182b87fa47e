import type { Message } from '@causerie/client';
import { memo, useState, type ReactElement } from 'react';
import { Copy } from '../shared/Copy';
import { Icon } from '../shared/Icon';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import { useSession } from '../shared/replica';
import { useTexts } from '../texts';
import { TextField } from './TextField';
import { Versions } from './Versions';

/** What the user has said, and the way to say it differently. */
export const UserMessage = memo(function UserMessage({ message }: { message: Message }): ReactElement {
  const texts = useTexts();
  const [editing, setEditing] = useState(false);
  return (
    <article className="message user" aria-label={texts.message.by.USER}>
      {editing ? (
        <Editor message={message} onClose={() => setEditing(false)} />
      ) : (
        <>
          <p className="bubble" dir="auto">{message.content}</p>
          <div className="actions">
            <Copy text={message.content} label={texts.actions.copy} />
            <button type="button" className="icon" aria-label={texts.actions.edit} title={texts.actions.edit} onClick={() => setEditing(true)}>
              <Icon name="edit" />
            </button>
            <Versions message={message} />
          </div>
        </>
      )}
    </article>
  );
});

function Editor({ message, onClose }: { message: Message; onClose: () => void }): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const [text, setText] = useState(message.content);
  const [busy, setBusy] = useState(false);
  // One key for all attempts: an attempt whose answer was lost is not made twice.
  const [key] = useState(() => crypto.randomUUID());
  const save = async (): Promise<void> => {
    if (!text.trim() || busy) return;
    setBusy(true);
    try {
      await replica.edit({ messageId: message.id, content: text, idempotencyKey: `${key}-${text.length}` });
      onClose();
    } catch (error) {
      setBusy(false);
      notify(texts.notices.failed(reason(error, texts)));
    }
  };
  return (
    <form
      className="editor"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <TextField label={texts.actions.edit} value={text} onChange={setText} onEnter={() => void save()} onEscape={onClose} />
      <div>
        <button type="button" onClick={onClose}>{texts.actions.cancel}</button>
        <button type="submit" className="primary" disabled={busy || !text.trim()}>{texts.actions.save}</button>
      </div>
    </form>
  );
}
