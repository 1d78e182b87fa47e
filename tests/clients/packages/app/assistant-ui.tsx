import {
  ActionBarPrimitive,
  AssistantRuntimeProvider,
  BranchPickerPrimitive,
  ComposerPrimitive,
  ErrorPrimitive,
  MessagePrimitive,
  ThreadListItemPrimitive,
  ThreadListPrimitive,
  ThreadPrimitive,
} from '@assistant-ui/react';
import { useCauserieRuntime } from '@causerie/assistant-ui';
import { useState, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

const parameters = new URLSearchParams(location.hash.slice(1));

const Branches = () => (
  <BranchPickerPrimitive.Root hideWhenSingleBranch>
    <BranchPickerPrimitive.Previous>Previous</BranchPickerPrimitive.Previous>
    <span className="branch">
      <BranchPickerPrimitive.Number /> / <BranchPickerPrimitive.Count />
    </span>
    <BranchPickerPrimitive.Next>Next</BranchPickerPrimitive.Next>
  </BranchPickerPrimitive.Root>
);

const UserMessage = () => (
  <MessagePrimitive.Root className="message user">
    <div className="text"><MessagePrimitive.Parts /></div>
    <ActionBarPrimitive.Root>
      <ActionBarPrimitive.Edit>Edit</ActionBarPrimitive.Edit>
    </ActionBarPrimitive.Root>
    <Branches />
  </MessagePrimitive.Root>
);

const AssistantMessage = () => (
  <MessagePrimitive.Root className="message assistant">
    <div className="text"><MessagePrimitive.Parts /></div>
    <MessagePrimitive.Error>
      <ErrorPrimitive.Root><ErrorPrimitive.Message /></ErrorPrimitive.Root>
    </MessagePrimitive.Error>
    <ActionBarPrimitive.Root>
      <ActionBarPrimitive.Reload>Reload</ActionBarPrimitive.Reload>
      <ActionBarPrimitive.FeedbackPositive>Good</ActionBarPrimitive.FeedbackPositive>
    </ActionBarPrimitive.Root>
    <Branches />
  </MessagePrimitive.Root>
);

const EditComposer = () => (
  <ComposerPrimitive.Root>
    <ComposerPrimitive.Input className="edit" />
    <ComposerPrimitive.Send>Save</ComposerPrimitive.Send>
  </ComposerPrimitive.Root>
);

const ThreadListItem = () => (
  <ThreadListItemPrimitive.Root className="thread">
    <ThreadListItemPrimitive.Trigger><ThreadListItemPrimitive.Title fallback="New chat" /></ThreadListItemPrimitive.Trigger>
    <ThreadListItemPrimitive.Archive>Archive</ThreadListItemPrimitive.Archive>
    <ThreadListItemPrimitive.Delete>Delete</ThreadListItemPrimitive.Delete>
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
      </ThreadListPrimitive.Root>
      <ThreadPrimitive.Root>
        <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage, UserEditComposer: EditComposer }} />
        <ComposerPrimitive.Root>
          <ComposerPrimitive.Input className="input" />
          <ComposerPrimitive.Send>Send</ComposerPrimitive.Send>
          <ComposerPrimitive.Cancel>Stop</ComposerPrimitive.Cancel>
        </ComposerPrimitive.Root>
      </ThreadPrimitive.Root>
    </AssistantRuntimeProvider>
  );
}

createRoot(document.querySelector('#app')!).render(<StrictMode><App /></StrictMode>);
