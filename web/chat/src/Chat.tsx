import { useEffect, useRef, useState, type ReactElement } from 'react';
import { Choice } from './assistants/Choice';
import { AnsweringContext } from './assistants/answering';
import { useAssistants } from './assistants/Assistants';
import { ChatSettingsDialog } from './assistants/ChatSettingsDialog';
import { useChatSettings } from './assistants/useChatSettings';
import { Composer } from './thread/Composer';
import { Thread } from './thread/Thread';
import { Dialog } from './shared/Dialog';
import { NEW } from './shared/drafts';
import { Icon } from './shared/Icon';
import { Notices } from './shared/notices';
import { useReplica, useSession } from './shared/replica';
import { address, go, useRoute } from './shared/route';
import { Sidebar } from './sidebar/Sidebar';
import { useKeys } from './useKeys';
import { useTexts } from './texts';

/** The whole page, once somebody is signed in. */
export function Chat({ onSettings }: { onSettings: () => void }): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const route = useRoute();
  const id = useReplica((it) => route.conversation && it.resolve(route.conversation));

  const wide = (): boolean => matchMedia('(min-width: 48rem)').matches;
  const [sidebar, setSidebar] = useState(wide);
  const [keys, setKeys] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  useKeys({
    search: () => {
      setSidebar(true);
      requestAnimationFrame(() => search.current?.focus());
    },
    sidebar: () => setSidebar((shown) => !shown),
    help: () => setKeys(true),
    step: (by) => {
      const { conversations } = replica.list();
      const to = conversations[conversations.findIndex((it) => it.id === id) + by];
      if (to) go({ conversation: to.id });
    },
  });

  const { all, usual } = useAssistants();
  const settings = useChatSettings(id);
  const answering = all.find((it) => it.id === (settings?.assistantId ?? usual));
  const [isSetting, setSetting] = useState(false);
  const title = useReplica((it) => (id ? it.conversation(id)?.title : undefined));
  const status = useReplica((it) => it.status);
  useEffect(() => {
    document.title = title ? `${title} · causerie` : 'causerie';
  }, [title]);

  // A conversation that has just been given its id stays what it is: its draft and its place in the list of messages too.
  const identity = useRef({ route: route.conversation, key: route.conversation ?? '' });
  if (identity.current.route !== route.conversation) {
    const same = identity.current.route !== undefined && replica.resolve(identity.current.route) === route.conversation;
    identity.current = { route: route.conversation, key: same ? identity.current.key : (route.conversation ?? '') };
  }

  return (
    <div className={sidebar ? 'chat with-sidebar' : 'chat'}>
      {sidebar && (
        <Sidebar
          search={search}
          onClose={() => setSidebar(false)}
          // Where there is room for one of the two, what is chosen takes the place of the list.
          onChosen={() => setSidebar(wide)}
          onSettings={onSettings}
        />
      )}
      {sidebar && <div className="shade" onClick={() => setSidebar(false)} />}
      <main>
        <header className="bar">
          {!sidebar && (
            <button type="button" className="icon" aria-label={texts.sidebar.open} title={texts.sidebar.open} onClick={() => setSidebar(true)}>
              <Icon name="menu" />
            </button>
          )}
          <h1 dir="auto">{id ? (title ?? texts.conversation.untitled) : 'causerie'}</h1>
          <Choice conversation={id} chosen={settings?.assistantId} />
          {(settings || !id) && (
            <button type="button" className="icon" aria-label={texts.chatSettings.title} title={texts.chatSettings.title} onClick={() => setSetting(true)}>
              <Icon name="settings" />
            </button>
          )}
          {!sidebar && (
            <a className="icon" href={address({})} aria-label={texts.sidebar.newChat} title={texts.sidebar.newChat}><Icon name="new" /></a>
          )}
        </header>
        {status === 'offline' && <p className="offline" role="status">{texts.notices.offline}</p>}
        <AnsweringContext value={answering}>
          {id ? (
            <Thread key={identity.current.key} id={id} message={route.message} />
          ) : (
            <div className="welcome">
              <p>{texts.conversation.empty}</p>
              <Composer place={NEW} running={undefined} />
            </div>
          )}
        </AnsweringContext>
      </main>
      <Notices />
      {isSetting && (settings || !id) && (
        <ChatSettingsDialog conversation={id} settings={settings} assistant={answering} onClose={() => setSetting(false)} />
      )}
      {keys && (
        <Dialog title={texts.keys.title} onClose={() => setKeys(false)}>
          <dl className="keys">
            {texts.keys.list.map(([key, meaning]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{meaning}</dd></div>)}
          </dl>
        </Dialog>
      )}
    </div>
  );
}
