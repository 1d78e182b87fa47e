import type { ConversationState } from '@causerie/client';
import { useState, type ReactElement, type RefObject } from 'react';
import { Icon, type IconName } from '../shared/Icon';
import { address } from '../shared/route';
import { useTexts } from '../texts';
import { List } from './List';
import { Search } from './Search';

interface Props {
  search: RefObject<HTMLInputElement | null>;
  onClose: () => void;
  /** Is called when a link in here is followed. */
  onChosen: () => void;
  onSettings: () => void;
}

/** Where to find conversations. */
export function Sidebar({ search, onClose, onChosen, onSettings }: Props): ReactElement {
  const texts = useTexts();
  const [text, setText] = useState('');
  const [state, setState] = useState<ConversationState>('ACTIVE');
  const places: [ConversationState, IconName, string][] = [
    ['ACTIVE', 'chat', texts.sidebar.chats],
    ['ARCHIVED', 'archive', texts.sidebar.archive],
    ['TRASHED', 'trash', texts.sidebar.trash],
  ];
  return (
    <aside
      className="sidebar"
      onClick={({ target }) => {
        if (target instanceof Element && target.closest('a')) onChosen();
      }}
    >
      <header>
        <button type="button" className="icon" aria-label={texts.sidebar.close} title={texts.sidebar.close} onClick={onClose}>
          <Icon name="menu" />
        </button>
        <a className="new" href={address({})}><Icon name="new" />{texts.sidebar.newChat}</a>
      </header>
      <div className="search" role="search">
        <Icon name="search" />
        <input
          ref={search}
          type="search"
          dir="auto"
          aria-label={texts.sidebar.search}
          placeholder={texts.sidebar.search}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') setText('');
          }}
        />
      </div>
      {text.trim() ? <Search text={text.trim()} /> : <List key={state} state={state} />}
      <footer>
        {places.map(([place, icon, label]) => (
          <button key={place} type="button" className="icon" aria-label={label} title={label} aria-pressed={state === place} onClick={() => setState(place)}>
            <Icon name={icon} />
          </button>
        ))}
        <button type="button" className="icon last" aria-label={texts.settings.title} title={texts.settings.title} onClick={onSettings}>
          <Icon name="gear" />
        </button>
      </footer>
    </aside>
  );
}
