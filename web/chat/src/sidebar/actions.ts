import type { Conversation, Replica } from '@causerie/client';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import type { Texts } from '../texts';

/** What can be done with conversations, one or many; what takes them away can be undone. */
export function conversationActions(replica: Replica, texts: Texts) {
  const each = (conversations: readonly Conversation[], run: (it: Conversation) => Promise<unknown>): Promise<unknown> =>
    Promise.all(conversations.map(run)).catch((error: unknown) => {
      notify(texts.notices.failed(reason(error, texts)));
      throw error;
    });
  const undo = (run: () => Promise<unknown>) => ({ label: texts.actions.undo, run: () => void run().catch(() => {}) });
  const setArchived = (list: readonly Conversation[], archived: boolean): Promise<unknown> =>
    each(list, ({ id }) => replica.updateConversation({ conversationId: id, archived }));
  const restore = (list: readonly Conversation[]): Promise<unknown> => each(list, ({ id }) => replica.restoreConversation(id));

  return {
    rename: (conversation: Conversation, title: string) =>
      each([conversation], ({ id }) => replica.updateConversation({ conversationId: id, title })),
    pin: (conversation: Conversation) =>
      each([conversation], ({ id, pinnedAt }) => replica.updateConversation({ conversationId: id, pinned: !pinnedAt })),
    archive: async (list: readonly Conversation[]) => {
      await setArchived(list, true);
      notify(texts.notices.archived(list.length), undo(() => setArchived(list, false)));
    },
    unarchive: (list: readonly Conversation[]) => setArchived(list, false),
    delete: async (list: readonly Conversation[]) => {
      await each(list, ({ id }) => replica.deleteConversation(id));
      notify(texts.notices.deleted(list.length), undo(() => restore(list)));
    },
    restore,
  };
}

export type ConversationActions = ReturnType<typeof conversationActions>;
