import type { Conversation, ConversationState } from '@causerie/client';
import { useCallback, useEffect, useMemo, useRef, useState, type ReactElement } from 'react';
import { Icon, type IconName } from '../shared/Icon';
import { useReplica, useSession } from '../shared/replica';
import { useRoute } from '../shared/route';
import { useSettings } from '../shared/settings';
import { useTexts } from '../texts';
import { conversationActions } from './actions';
import { group } from './groups';
import { Item } from './Item';

/** How long to wait before loading again what could not be loaded, in milliseconds. */
const RETRY = 5000;

/** The conversations of a kind. More are loaded when the end of the list comes near. */
export function List({ state }: { state: ConversationState }): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const { language } = useSettings();
  const list = useReplica((it) => it.list(state));
  const { conversation: route } = useRoute();
  const open = route && replica.resolve(route);
  const actions = useMemo(() => conversationActions(replica, texts), [replica, texts]);
  const groups = useMemo(() => group(list.conversations, texts, language), [list.conversations, texts, language]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>();
  const choose = useCallback(({ id }: Conversation) => {
    setChosen((before) => {
      const next = new Set(before);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);

  const end = useRef<HTMLDivElement>(null);
  const { hasMore, isLoading, error } = list;
  const isLive = useReplica((it) => it.status === 'live');
  const isOffline = useReplica((it) => it.status === 'offline');
  useEffect(() => {
    if (!hasMore || isLoading || !isLive) return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) void replica.loadMore(state).catch(() => {});
      },
      { rootMargin: '600px' },
    );
    // After a failure not at once, as it may well fail again.
    const timer = setTimeout(() => end.current && observer.observe(end.current), error ? RETRY : 0);
    return () => {
      clearTimeout(timer);
      observer.disconnect();
    };
  }, [replica, state, hasMore, isLoading, isLive, error, list.conversations.length]);

  const empty = { ACTIVE: texts.sidebar.emptyChats, ARCHIVED: texts.sidebar.emptyArchive, TRASHED: texts.sidebar.emptyTrash }[state];
  const several = list.conversations.filter(({ id }) => chosen?.has(id));
  const all = (icon: IconName, label: string, run: (conversations: Conversation[]) => Promise<unknown>): ReactElement => (
    <button
      type="button"
      className="icon"
      aria-label={label}
      title={label}
      disabled={several.length === 0}
      onClick={() => {
        void run(several).catch(() => {});
        setChosen(undefined);
      }}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <nav className="list" aria-label={texts.sidebar.conversations}>
      {chosen && (
        <div className="chosen" role="toolbar" aria-label={texts.actions.select}>
          <span>{texts.sidebar.selected(several.length)}</span>
          {state === 'ACTIVE' && all('archive', texts.actions.archive, actions.archive)}
          {state === 'ARCHIVED' && all('restore', texts.actions.unarchive, actions.unarchive)}
          {state === 'TRASHED' && all('restore', texts.actions.restore, actions.restore)}
          {state !== 'TRASHED' && all('trash', texts.actions.delete, actions.delete)}
          <button type="button" className="icon" aria-label={texts.actions.cancel} onClick={() => setChosen(undefined)}><Icon name="close" /></button>
        </div>
      )}
      {groups.map(({ label, conversations }) => (
        <section key={label} aria-label={label}>
          <h2>{label}</h2>
          <ul>
            {conversations.map((conversation) => (
              <Item
                key={conversation.id}
                conversation={conversation}
                open={conversation.id === open}
                chosen={chosen?.has(conversation.id)}
                onChoose={choose}
                actions={actions}
              />
            ))}
          </ul>
        </section>
      ))}
      {isLoading && <p className="hint">{isOffline ? texts.conversation.unloaded : texts.conversation.loading}</p>}
      {!isLoading && !hasMore && groups.length === 0 && <p className="hint">{empty}</p>}
      <div ref={end} />
    </nav>
  );
}
