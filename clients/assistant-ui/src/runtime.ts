import { useExternalStoreRuntime, type AppendMessage, type AssistantRuntime, type ThreadMessage } from '@assistant-ui/react';
import type { Message, Thread } from '@causerie/client';
import { useEffect, useMemo } from 'react';
import { repositoryOf } from './messages.js';
import { useReplica, useSource, type ReplicaSource } from './replica.js';
import { useThreads, type ThreadSelection } from './threads.js';

export type CauserieRuntimeOptions = ReplicaSource & ThreadSelection;

const NOTHING: Thread = { messages: [], outgoing: [], hasOlder: false, isLoading: false, error: undefined, running: [] };

/**
 * A runtime for assistant-ui with everything that the server keeps: the list of threads, their history, replies that are
 * streamed and resumed, edits and regenerations as branches, stops and feedback. Nothing else has to store or resume
 * anything.
 *
 * Give it the server's `url` and the user's `token`, or a `replica` that the page has for other uses too.
 */
export function useCauserieRuntime(options: CauserieRuntimeOptions): AssistantRuntime {
  const replica = useSource(options);
  const { threadId, adapter, begin } = useThreads(replica, options);
  const thread = useReplica(replica, () => (threadId === undefined ? NOTHING : replica.thread(threadId)), NOTHING);
  const messageRepository = useMemo(() => repositoryOf(replica, thread), [replica, thread]);
  const running = thread.messages.filter(isRunning);

  // What is shown is read.
  const unread = useReplica(replica, () => (threadId === undefined ? 0 : (replica.conversation(threadId)?.unreadCount ?? 0)), 0);
  useEffect(() => {
    if (threadId !== undefined && unread > 0 && document.visibilityState === 'visible') void replica.markRead(threadId).catch(() => {});
  }, [replica, threadId, unread]);

  return useExternalStoreRuntime<ThreadMessage>({
    messageRepository,
    isLoading: thread.isLoading && thread.messages.length === 0,
    isRunning: running.length > 0 || thread.outgoing.some(({ state }) => state === 'sending'),
    async onNew(message) {
      const { key } = replica.send({ conversationId: threadId, content: textOf(message) });
      if (threadId === undefined) begin(key);
    },
    async onEdit(message) {
      const messageId = message.sourceId ?? thread.messages.find(({ parent }) => (parent?.id ?? null) === message.parentId)?.id;
      if (messageId) await replica.edit({ messageId, content: textOf(message), onBusy: 'INTERRUPT' });
    },
    async onReload(parentId) {
      const reply = thread.messages.find(({ parent, role }) => role === 'ASSISTANT' && (parent?.id ?? null) === parentId);
      if (!reply) return;
      const { id: messageId, status } = reply;
      // A reply that failed leaves no version behind.
      await (status === 'FAILED' ? replica.retry({ messageId }) : replica.regenerate({ messageId, onBusy: 'INTERRUPT' }));
    },
    async onCancel() {
      for (const { key, state } of thread.outgoing) if (state !== 'sending') replica.discard(key);
      await Promise.all(running.map(({ id }) => replica.stopReply(id)));
    },
    onDelete: (messageId) => replica.deleteMessage(messageId),
    // assistant-ui calls it with the branch that was chosen.
    setMessages(messages) {
      const chosen = messages.find(({ id }, index) => thread.messages[index] && thread.messages[index].id !== id);
      if (chosen) void replica.activate(chosen.id).catch(console.error);
    },
    adapters: {
      threadList: adapter,
      feedback: {
        submit({ message, type }) {
          void replica.rate(message.id, type === 'positive' ? 'UP' : 'DOWN').catch(console.error);
        },
      },
    },
  });
}

function isRunning({ role, status }: Message): boolean {
  return role === 'ASSISTANT' && (status === 'GENERATING' || status === 'QUEUED');
}

function textOf({ content, attachments }: AppendMessage): string {
  const others = content.filter(({ type }) => type !== 'text');
  if (others.length > 0 || (attachments?.length ?? 0) > 0) throw new Error('The server takes messages of text only.');
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('\n\n');
}
