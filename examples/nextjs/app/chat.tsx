'use client';

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

const url = process.env.NEXT_PUBLIC_CAUSERIE_URL ?? 'http://127.0.0.1:8080/graphql';

let token: Promise<string> | undefined;
/** The user's token, until the server refuses it because it has expired. */
function currentToken(wasRefused: boolean): Promise<string> {
  if (wasRefused) token = undefined;
  token ??= fetch('/api/auth/token')
    .then((response) => response.json() as Promise<{ token: string }>)
    .then((answer) => answer.token);
  return token;
}

export function Chat({ userId, onSignOut }: { userId: string; onSignOut: () => void }) {
  // Everything else is assistant-ui's own.
  const runtime = useCauserieRuntime({ url, token: currentToken, storage: globalThis.localStorage, storagePrefix: `chat:${userId}:` });
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <div className="chat">
        <ThreadListPrimitive.Root>
          <ThreadListPrimitive.New>New chat</ThreadListPrimitive.New>
          <ThreadListPrimitive.Items components={{ ThreadListItem }} />
          <button
            onClick={() => {
              token = undefined;
              onSignOut();
            }}
          >
            Sign out
          </button>
        </ThreadListPrimitive.Root>
        <ThreadPrimitive.Root>
          <ThreadPrimitive.Viewport>
            <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage, UserEditComposer: EditComposer }} />
          </ThreadPrimitive.Viewport>
          <ComposerPrimitive.Root>
            <ComposerPrimitive.Input aria-label="Message" autoFocus />
            <ComposerPrimitive.Send>Send</ComposerPrimitive.Send>
            <ComposerPrimitive.Cancel>Stop</ComposerPrimitive.Cancel>
          </ComposerPrimitive.Root>
        </ThreadPrimitive.Root>
      </div>
    </AssistantRuntimeProvider>
  );
}

const ThreadListItem = () => (
  <ThreadListItemPrimitive.Root className="thread">
    <ThreadListItemPrimitive.Trigger>
      <ThreadListItemPrimitive.Title fallback="New chat" />
    </ThreadListItemPrimitive.Trigger>
    <ThreadListItemPrimitive.Delete>Delete</ThreadListItemPrimitive.Delete>
  </ThreadListItemPrimitive.Root>
);

const Versions = () => (
  <BranchPickerPrimitive.Root hideWhenSingleBranch>
    <BranchPickerPrimitive.Previous>‹</BranchPickerPrimitive.Previous> <BranchPickerPrimitive.Number /> /{' '}
    <BranchPickerPrimitive.Count /> <BranchPickerPrimitive.Next>›</BranchPickerPrimitive.Next>
  </BranchPickerPrimitive.Root>
);

const UserMessage = () => (
  <MessagePrimitive.Root className="message user">
    <MessagePrimitive.Parts />
    <ActionBarPrimitive.Root>
      <ActionBarPrimitive.Edit>Edit</ActionBarPrimitive.Edit>
    </ActionBarPrimitive.Root>
    <Versions />
  </MessagePrimitive.Root>
);

const AssistantMessage = () => (
  <MessagePrimitive.Root className="message assistant">
    <MessagePrimitive.Parts />
    <MessagePrimitive.Error>
      <ErrorPrimitive.Root>
        <ErrorPrimitive.Message />
      </ErrorPrimitive.Root>
    </MessagePrimitive.Error>
    <ActionBarPrimitive.Root>
      <ActionBarPrimitive.Reload>Again</ActionBarPrimitive.Reload>
    </ActionBarPrimitive.Root>
    <Versions />
  </MessagePrimitive.Root>
);

const EditComposer = () => (
  <ComposerPrimitive.Root>
    <ComposerPrimitive.Input aria-label="Edit" />
    <ComposerPrimitive.Send>Save</ComposerPrimitive.Send>
    <ComposerPrimitive.Cancel>Cancel</ComposerPrimitive.Cancel>
  </ComposerPrimitive.Root>
);
