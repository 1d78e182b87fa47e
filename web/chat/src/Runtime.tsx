import { AssistantRuntimeProvider } from '@assistant-ui/react';
import { useCauserieRuntime, type MessageWindow } from '@causerie/assistant-ui';
import { createContext, useCallback, useContext, useMemo, useRef, useState, type ReactElement, type ReactNode } from 'react';
import { NEW, writeDraft } from './shared/drafts';
import { notify } from './shared/notices';
import { reason } from './shared/reason';
import { useSession } from './shared/replica';
import { go, useRoute } from './shared/route';
import { useTexts } from './texts';
import { Drafts } from './thread/Drafts';

/** How many messages are in the page at most. */
export const SHOWN = 60;
const LATEST: MessageWindow = { count: SHOWN };

interface MovableWindow {
  part: MessageWindow;
  move: (part: MessageWindow) => void;
}

const WindowContext = createContext<MovableWindow>({ part: LATEST, move: () => {} });

/** The part of the conversation that is in the page. */
export const useMovableWindow = (): MovableWindow => useContext(WindowContext);

/** assistant-ui's runtime for what the address names. It is drawn again with each word, and what is in it is not. */
export function Runtime({ children }: { children: ReactNode }): ReactElement {
  const { replica, userId } = useSession();
  const texts = useTexts();
  const route = useRoute();
  const { conversation } = route;
  const [moved, setMoved] = useState<{ conversation: string; part: MessageWindow }>();
  const isMoved = moved !== undefined && conversation !== undefined && replica.resolve(moved.conversation) === replica.resolve(conversation);
  // Another conversation begins at its end, and so does this one when it is opened again.
  if (moved && !isMoved) setMoved(undefined);
  const part = isMoved ? moved.part : LATEST;
  const latest = useRef(conversation);
  latest.current = conversation;
  const move = useCallback((next: MessageWindow) => {
    if (latest.current !== undefined) setMoved({ conversation: latest.current, part: next });
  }, []);
  const movable = useMemo(() => ({ part, move }), [part, move]);
  const runtime = useCauserieRuntime({
    replica,
    threadId: conversation,
    // The key of the message that started a conversation stands for it; the address shows its id, once it has one.
    onThreadIdChange: (id) => go(id === undefined ? {} : { ...route, conversation: id }, true),
    onThreadBegin(key) {
      writeDraft(userId, NEW, '');
      go({ conversation: key });
    },
    messageWindow: part,
    threadList: false,
    markRead: false,
    onError: (error) => notify(texts.notices.failed(reason(error, texts))),
  });
  const content = useMemo(
    () => (
      <WindowContext value={movable}>
        <Drafts />
        {children}
      </WindowContext>
    ),
    [movable, children],
  );
  return <AssistantRuntimeProvider runtime={runtime}>{content}</AssistantRuntimeProvider>;
}
