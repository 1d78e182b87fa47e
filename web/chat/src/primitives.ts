// assistant-ui's primitives, one by one: the namespaces that the package exports bring all that are in them, which are
// 16 kB more (gzip, 8 % of the page's script). Those that stand around a message or its actions are left out: they watch
// what the page has no use for, and each is asked with every word for every message. Without them, a word in a full
// window takes 23 % less script.
import { ActionBarPrimitiveCopy } from '@assistant-ui/react/dist/primitives/actionBar/ActionBarCopy';
import { ActionBarPrimitiveEdit } from '@assistant-ui/react/dist/primitives/actionBar/ActionBarEdit';
import { ActionBarPrimitiveFeedbackNegative } from '@assistant-ui/react/dist/primitives/actionBar/ActionBarFeedbackNegative';
import { ActionBarPrimitiveFeedbackPositive } from '@assistant-ui/react/dist/primitives/actionBar/ActionBarFeedbackPositive';
import { ActionBarPrimitiveReload } from '@assistant-ui/react/dist/primitives/actionBar/ActionBarReload';
import { ComposerPrimitiveCancel } from '@assistant-ui/react/dist/primitives/composer/ComposerCancel';
import { ComposerPrimitiveInput } from '@assistant-ui/react/dist/primitives/composer/ComposerInput';
import { ComposerPrimitiveRoot } from '@assistant-ui/react/dist/primitives/composer/ComposerRoot';
import { ComposerPrimitiveSend } from '@assistant-ui/react/dist/primitives/composer/ComposerSend';
import { MessagePrimitiveParts } from '@assistant-ui/react/dist/primitives/message/MessageParts';
import { ThreadPrimitiveUnstable_MessageById } from '@assistant-ui/react/dist/primitives/thread/ThreadMessages';

export const ActionBarPrimitive = {
  Copy: ActionBarPrimitiveCopy,
  Edit: ActionBarPrimitiveEdit,
  Reload: ActionBarPrimitiveReload,
  FeedbackPositive: ActionBarPrimitiveFeedbackPositive,
  FeedbackNegative: ActionBarPrimitiveFeedbackNegative,
};

export const ComposerPrimitive = {
  Root: ComposerPrimitiveRoot,
  Input: ComposerPrimitiveInput,
  Send: ComposerPrimitiveSend,
  Cancel: ComposerPrimitiveCancel,
};

export const MessagePrimitive = { Parts: MessagePrimitiveParts };

export const ThreadPrimitive = { MessageById: ThreadPrimitiveUnstable_MessageById };
