import type { Conversation } from '@causerie/client';
import { memo, useState, type ReactElement } from 'react';
import { Menu, type MenuItem } from '../shared/Menu';
import { address, go } from '../shared/route';
import { useTexts } from '../texts';
import type { ConversationActions } from './actions';

interface Props {
  conversation: Conversation;
  open: boolean;
  /** Whether it is chosen, while several are being chosen. */
  chosen: boolean | undefined;
  onChoose: (conversation: Conversation) => void;
  actions: ConversationActions;
}

/** A conversation in the list. */
export const Item = memo(function Item({ conversation, open, chosen, onChoose, actions }: Props): ReactElement {
  const texts = useTexts();
  const [renaming, setRenaming] = useState(false);
  const title = conversation.title ?? texts.conversation.untitled;
  const quietly = (work: Promise<unknown>): void => void work.catch(() => {});

  if (renaming) {
    return <Rename title={title} onEnd={(wanted) => {
      setRenaming(false);
      if (wanted && wanted !== conversation.title) quietly(actions.rename(conversation, wanted));
    }} />;
  }
  const leave = (work: Promise<unknown>): void => {
    if (open) go({});
    quietly(work);
  };
  const several: MenuItem = { label: texts.actions.select, icon: 'check', run: () => onChoose(conversation) };
  const items: Record<Conversation['state'], MenuItem[]> = {
    ACTIVE: [
      { label: conversation.pinnedAt ? texts.actions.unpin : texts.actions.pin, icon: 'pin', run: () => quietly(actions.pin(conversation)) },
      { label: texts.actions.rename, icon: 'edit', run: () => setRenaming(true) },
      { label: texts.actions.archive, icon: 'archive', run: () => leave(actions.archive([conversation])) },
      several,
      { label: texts.actions.delete, icon: 'trash', danger: true, run: () => leave(actions.delete([conversation])) },
    ],
    ARCHIVED: [
      { label: texts.actions.unarchive, icon: 'restore', run: () => quietly(actions.unarchive([conversation])) },
      several,
      { label: texts.actions.delete, icon: 'trash', danger: true, run: () => leave(actions.delete([conversation])) },
    ],
    TRASHED: [{ label: texts.actions.restore, icon: 'restore', run: () => quietly(actions.restore([conversation])) }, several],
  };
  const unread = conversation.unreadCount > 0 && !open;
  return (
    <li className={open ? 'item open' : 'item'}>
      {chosen !== undefined ? (
        <label className="choice">
          <input type="checkbox" checked={chosen} onChange={() => onChoose(conversation)} />
          <span dir="auto">{title}</span>
        </label>
      ) : (
        <>
          {conversation.state === 'TRASHED' ? (
            <span className="title" dir="auto">{title}</span>
          ) : (
            <a className="title" dir="auto" href={address({ conversation: conversation.id })} aria-current={open ? 'page' : undefined} onDoubleClick={() => setRenaming(true)}>
              {title}
            </a>
          )}
          {unread && <span className="dot" role="img" aria-label={texts.sidebar.unread} />}
          <Menu label={`${texts.actions.more}: ${title}`} items={items[conversation.state]} />
        </>
      )}
    </li>
  );
});

function Rename({ title, onEnd }: { title: string; onEnd: (title?: string) => void }): ReactElement {
  const texts = useTexts();
  const [text, setText] = useState(title);
  return (
    <li className="item">
      <input
        className="rename"
        dir="auto"
        aria-label={texts.sidebar.title}
        value={text}
        maxLength={200}
        // It was asked for by its name.
        autoFocus
        onFocus={(event) => event.target.select()}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => onEnd(text.trim())}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.nativeEvent.isComposing) onEnd(text.trim());
          if (event.key === 'Escape') {
            event.stopPropagation();
            onEnd();
          }
        }}
      />
    </li>
  );
}
