import { AssistantRuntimeProvider, ThreadListItemPrimitive, ThreadListPrimitive, useAui } from '@assistant-ui/react';
import { useCauserieRuntime } from '@causerie/assistant-ui';
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

function App() {
  const [threadId, setThreadId] = useState(parameters.get('thread') ?? undefined);
  const runtime = useCauserieRuntime({
    url: parameters.get('url')!,
    token: () => parameters.get('token')!,
    storage: localStorage,
    threadId,
    onThreadIdChange(id) {
      setThreadId(id);
      parameters.delete('thread');
      if (id) parameters.set('thread', id);
      location.hash = String(parameters);
    },
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
      <Thread />
    </AssistantRuntimeProvider>
  );
}

createRoot(document.querySelector('#app')!).render(<StrictMode><App /></StrictMode>);
