import { useExternalStoreRuntime, type AppendMessage, type AssistantRuntime, type ThreadMessage } from '@assistant-ui/react';
import type { Replica, Thread } from '@causerie/client';
import { useEffect, useMemo } from 'react';
import { reopenEditor, useEditKey } from './editing.js';
import { repositoryOf } from './messages.js';
import { useReplica, useSource, type ReplicaSource } from './replica.js';
import { useThreads, type ThreadSelection } from './threads.js';
import { within, type MessageWindow } from './window.js';

export type CauserieRuntimeOptions = ReplicaSource &
  ThreadSelection & {
    /**
     * The part of the thread that assistant-ui has, which draws every message that it has. By default that is all that is
     * loaded; with a window, a thread of 10,000 messages costs what its window does. It is moved while the thread is
     * scrolled, and to the end when a message is sent.
     */
    readonly messageWindow?: MessageWindow | undefined;
    /** Whether a thread that is shown counts as read, as it does by default. Otherwise `replica.markRead` says so. */
    readonly markRead?: boolean | undefined;
    /** Is told why something that the user has asked for was not done. By default the console is. */
    readonly onError?: ((error: unknown) => void) | undefined;
  };

const NOTHING: Thread = { messages: [], outgoing: [], hasOlder: false, isLoading: false, error: undefined, running: [] };
const NO_ITEMS: readonly never[] = [];

/**
 * A runtime for assistant-ui with everything that the server keeps: the list of threads, their history, replies that are
 * streamed and resumed, edits and regenerations as branches, stops and feedback. Nothing else has to store or resume
 * anything.
 *
 * Give it the server's `url` and the user's `token`, or a `replica` that the page has for other uses too.
 */
export function useCauserieRuntime(options: CauserieRuntimeOptions): AssistantRuntime {
  const { messageWindow, markRead = true, onError = console.error } = options;
  const replica = useSource(options);
  const { threadId, adapter, begin } = useThreads(replica, options);
  const thread = useReplica(replica, () => (threadId === undefined ? NOTHING : replica.thread(threadId)), NOTHING);
  const { count, until } = messageWindow ?? {};
  const shown = useMemo(() => (count === undefined ? thread : within(thread, { count, until })), [thread, count, until]);
  const messageRepository = useMemo(() => repositoryOf(replica, shown), [replica, shown]);
  const { running } = thread;
  const editKey = useEditKey();
  useReading(replica, threadId, markRead);

  const send = (message: AppendMessage) => {
    const { key } = replica.send({ conversationId: threadId, content: textOf(message) });
    if (threadId === undefined) begin(key);
  };
  const report = (work: Promise<unknown>) => void work.catch(onError);

  const runtime: AssistantRuntime = useExternalStoreRuntime<ThreadMessage>({
    messageRepository,
    isLoading: thread.isLoading && thread.messages.length === 0,
    isRunning: running.length > 0 || thread.outgoing.some(({ state }) => state === 'sending'),
    onNew: async (message) => send(message),
    // What is sent while a reply is being written waits for its turn at the server, and is shown in the thread.
    queue: { items: NO_ITEMS, steerItems: NO_ITEMS, enqueue: send, steer: send, move() {}, edit() {}, remove() {} },
    async onEdit(message) {
      const messageId = message.sourceId ?? shown.messages.find(({ parent }) => (parent?.id ?? null) === message.parentId)?.id;
      if (!messageId) return;
      const content = textOf(message);
      try {
        await replica.edit({ messageId, content, onBusy: 'INTERRUPT', idempotencyKey: editKey(messageId, content) });
      } catch (error) {
        reopenEditor(runtime, messageId, content);
        onError(error);
      }
    },
    async onReload(parentId, { sourceId }) {
      const reply = shown.messages.find(({ id, role, parent }) =>
        sourceId ? id === sourceId : role === 'ASSISTANT' && (parent?.id ?? null) === parentId,
      );
      if (!reply) return;
      const { id: messageId, status } = reply;
      // A reply that failed leaves no version behind.
      report(status === 'FAILED' ? replica.retry({ messageId }) : replica.regenerate({ messageId, onBusy: 'INTERRUPT' }));
    },
    // Replies that wait for their turn go on, and are stopped in their turn.
    async onCancel() {
      if (running[0]) report(replica.stopReply(running[0].id));
    },
    onDelete: (messageId) => replica.deleteMessage(messageId),
    // assistant-ui calls it with the branch that was chosen, or without the last message, which is in the composer again.
    setMessages(messages) {
      const chosen = messages.find(({ id }, index) => shown.messages[index] && shown.messages[index].id !== id);
      if (chosen) return report(replica.activate(chosen.id));
      const last = shown.outgoing.at(-1);
      if (!last || messages.some(({ id }) => id === last.key)) return;
      if (last.state !== 'sending') replica.discard(last.key);
      // It cannot be taken back any more, and is not to be sent twice.
      else if (runtime.thread.composer.getState().text === last.content) runtime.thread.composer.setText('');
    },
    adapters: {
      threadList: adapter,
      feedback: {
        // The same rating once more takes it back.
        submit({ message, type }) {
          const rating = type === 'positive' ? 'UP' : 'DOWN';
          report(replica.rate(message.id, message.metadata.submittedFeedback?.type === type ? null : rating));
        },
      },
    },
  });
  return runtime;
}

/** What is shown is read. */
function useReading(replica: Replica, threadId: string | undefined, isWanted: boolean): void {
  const unreadCount = () => (threadId === undefined || !isWanted ? 0 : (replica.conversation(threadId)?.unreadCount ?? 0));
  const unread = useReplica(replica, unreadCount, 0);
  useEffect(() => {
    if (threadId !== undefined && unread > 0 && document.visibilityState === 'visible') void replica.markRead(threadId).catch(() => {});
  }, [replica, threadId, unread]);
}

function textOf({ content, attachments }: AppendMessage): string {
  const others = content.filter(({ type }) => type !== 'text');
  if (others.length > 0 || (attachments?.length ?? 0) > 0) throw new Error('The server takes messages of text only.');
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('\n\n');
}
