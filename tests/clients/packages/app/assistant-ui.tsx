import { AssistantRuntimeProvider, ThreadListItemPrimitive, ThreadListPrimitive, useAui, useAuiState } from '@assistant-ui/react';
import { useCauserieRuntime, type MessageWindow } from '@causerie/assistant-ui';
import { useState, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Thread } from './thread.js';

const parameters = new URLSearchParams(location.hash.slice(1));

const Rename = () => {
  const aui = useAui();
  return <button onClick={() => void aui.threadListItem().rename('Renamed')}>Rename</button>;
};

const ThreadListItem = () => (
  <ThreadListItemPrimitive.Root className="thread">
    <ThreadListItemPrimitive.Trigger><ThreadListItemPrimitive.Title fallback="New chat" /></ThreadListItemPrimitive.Trigger>
    <Rename />
    <ThreadListItemPrimitive.Archive>Archive</ThreadListItemPrimitive.Archive>
    <ThreadListItemPrimitive.Delete>Delete</ThreadListItemPrimitive.Delete>
  </ThreadListItemPrimitive.Root>
);

const ArchivedItem = () => (
  <ThreadListItemPrimitive.Root className="archived-thread">
    <ThreadListItemPrimitive.Title />
    <ThreadListItemPrimitive.Unarchive>Unarchive</ThreadListItemPrimitive.Unarchive>
  </ThreadListItemPrimitive.Root>
);

/** Ends the window with the first question that it has now. */
const Older = ({ onClick }: { onClick: (until: string) => void }) => {
  const first = useAuiState(({ thread }) => thread.messages.find(({ role }) => role === 'user')?.id);
  return <button disabled={!first} onClick={() => onClick(first!)}>Older</button>;
};

/** How many messages of a thread there are at once, if not all of them. */
const count = Number(parameters.get('count'));

function App() {
  const [threadId, setThreadId] = useState(parameters.get('thread') ?? undefined);
  const [until, setUntil] = useState<string>();
  const [error, setError] = useState<unknown>();
  const messageWindow: MessageWindow | undefined = count > 0 ? { count, until } : undefined;
  const show = (id: string | undefined) => {
    setThreadId(id);
    parameters.delete('thread');
    if (id) parameters.set('thread', id);
    location.hash = String(parameters);
  };
  const runtime = useCauserieRuntime({
    url: parameters.get('url')!,
    token: () => parameters.get('token')!,
    storage: localStorage,
    threadId,
    onThreadIdChange: show,
    onThreadBegin: show,
    onError: setError,
    markRead: !parameters.has('unread'),
    messageWindow,
  });
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <ThreadListPrimitive.Root>
        <ThreadListPrimitive.New>New</ThreadListPrimitive.New>
        <ThreadListPrimitive.Items components={{ ThreadListItem }} />
        <div className="archived">
          <ThreadListPrimitive.Items archived components={{ ThreadListItem: ArchivedItem }} />
        </div>
      </ThreadListPrimitive.Root>
      <Older onClick={setUntil} />
      <button onClick={() => setUntil(undefined)}>Newest</button>
      <p className="error">{error instanceof Error && error.message}</p>
      <Thread />
    </AssistantRuntimeProvider>
  );
}

createRoot(document.querySelector('#app')!).render(<StrictMode><App /></StrictMode>);
