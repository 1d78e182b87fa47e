import { ActionBarPrimitive, BranchPickerPrimitive, ComposerPrimitive, ErrorPrimitive, MessagePrimitive, ThreadPrimitive } from '@assistant-ui/react';

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

/** A thread of assistant-ui's own primitives, as its command line would write one into an app. */
export const Thread = () => (
  <ThreadPrimitive.Root>
    <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage, UserEditComposer: EditComposer }} />
    <ComposerPrimitive.Root>
      <ComposerPrimitive.Input className="input" />
      <ComposerPrimitive.Send>Send</ComposerPrimitive.Send>
      <ComposerPrimitive.Cancel>Stop</ComposerPrimitive.Cancel>
    </ComposerPrimitive.Root>
  </ThreadPrimitive.Root>
);
