import { createClient, type Client, type ClientOptions, type ReplyStream } from '@causerie/client';
import type { ChatTransport, UIMessage, UIMessageChunk } from 'ai';
import { chunksOf } from './chunks.js';
import { textOf, toUIMessage } from './messages.js';

/** A client, or what one is made of. */
export type CauserieChatTransportOptions = { readonly client: Client } | ClientOptions;

export interface CauserieChatTransport<UI_MESSAGE extends UIMessage = UIMessage> extends ChatTransport<UI_MESSAGE> {
  /** The stored messages of a chat, at most the last 100, as the first `messages` of `useChat`. */
  history(chatId: string): Promise<UI_MESSAGE[]>;
  /** The conversation of a chat; `undefined` before the first message. */
  conversationId(chatId: string): Promise<string | undefined>;
}

/**
 * A transport for `useChat`. The id of a chat is the id of a conversation, or any other name: a conversation that is
 * begun under a name has it as `chatId` in its metadata, so that it is found again after a reload. An app that reads the
 * `metadata` of messages says so by the type: `createChatTransport<UIMessage<CauserieMetadata>>`.
 */
export function createChatTransport<UI_MESSAGE extends UIMessage = UIMessage>(
  options: CauserieChatTransportOptions,
): CauserieChatTransport<UI_MESSAGE> {
  const client = 'client' in options ? options.client : createClient(options);
  const conversations = new Map<string, string>();
  /** What was sent under the ids that `useChat` has given to messages. */
  const sent = new Map<string, { readonly id: string; readonly text: string }>();
  /** How often the reply of each chat was resumed. */
  const resumed = new Map<string, number>();

  async function conversationId(chatId: string): Promise<string | undefined> {
    const known = conversations.get(chatId);
    if (known !== undefined) return known;
    const { nodes } = await client.conversations({ filter: { states: ['ACTIVE', 'ARCHIVED'], metadata: { chatId } }, first: 1 });
    const found = nodes[0] ?? (await client.conversation(chatId));
    if (found) conversations.set(chatId, found.id);
    return found?.id;
  }

  async function begin(chatId: string): Promise<string> {
    const known = await conversationId(chatId);
    if (known !== undefined) return known;
    const { id } = await client.createConversation({ metadata: { chatId } });
    conversations.set(chatId, id);
    return id;
  }

  /** The reply that a regeneration is about: of the message with this id, or the last one. */
  async function replyOf(chatId: string, messageId: string | undefined): Promise<string> {
    const id = messageId === undefined ? undefined : (sent.get(messageId)?.id ?? messageId);
    const conversation = await conversationId(chatId);
    if (conversation === undefined) throw new Error('The chat has no messages yet.');
    const { nodes } = await client.messages({ conversationId: conversation, last: 100 });
    const reply = [...nodes].reverse().find((row) => row.role === 'ASSISTANT' && (id === undefined || row.id === id || row.parent?.id === id));
    if (!reply && id === undefined) throw new Error('The chat has no reply yet.');
    return reply?.id ?? id!;
  }

  async function request(options: Parameters<ChatTransport<UI_MESSAGE>['sendMessages']>[0]): Promise<ReplyStream> {
    const { trigger, chatId, messageId, messages, metadata } = options;
    if (trigger === 'regenerate-message') return client.regenerate({ messageId: await replyOf(chatId, messageId), onBusy: 'INTERRUPT' });
    const message = messages.at(-1);
    if (message?.role !== 'user') throw new Error('Only messages of the user can be sent.');
    const content = textOf(message);
    const own = { metadata: isObject(metadata) ? metadata : undefined };
    const before = sent.get(message.id);
    // A message that is sent again as it was is the same one; any other text under its id is an edit.
    if (messageId !== undefined && before?.text !== content.trim()) {
      return client.edit({ messageId: before?.id ?? messageId, content, onBusy: 'INTERRUPT', ...own });
    }
    return client.send({ conversationId: await begin(chatId), content, idempotencyKey: message.id, ...own });
  }

  /** The chunks of a reply. What aborts the stream by `stop` stops the reply; leaving it does not. */
  function streamOf(
    chatId: string,
    steps: ReplyStream,
    abortSignal: AbortSignal | undefined,
    turn = resumed.get(chatId),
  ): ReadableStream<UIMessageChunk> {
    let id: string | undefined;
    let isStopped = false;
    const stop = () => {
      // `useChat` also aborts a stream that it resumes once more, which is no `stop`.
      setTimeout(() => {
        isStopped = resumed.get(chatId) === turn;
        if (isStopped && id !== undefined) void client.stop(id).catch(console.error);
      });
    };
    abortSignal?.addEventListener('abort', stop, { once: true });
    if (abortSignal?.aborted) stop();
    const chunks = chunksOf(steps, (reply) => {
      // It was stopped before it had an id.
      if (isStopped && id === undefined) void client.stop(reply.id).catch(console.error);
      id = reply.id;
      if (reply.finishedAt !== null) abortSignal?.removeEventListener('abort', stop);
    });
    return new ReadableStream<UIMessageChunk>({
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        // Once it is known which reply is to be stopped, if that was the reason.
        while (id === undefined && abortSignal?.aborted && !(await chunks.next()).done);
        await chunks.return();
      },
    });
  }

  return {
    conversationId,
    async history(chatId) {
      const conversation = await conversationId(chatId);
      if (conversation === undefined) return [];
      const { nodes } = await client.messages({ conversationId: conversation, last: 100 });
      return nodes.map((row) => toUIMessage<UI_MESSAGE>(row));
    },
    async sendMessages(options) {
      const steps = await request(options);
      const message = options.messages.at(-1);
      const isSent = options.trigger === 'submit-message' && message !== undefined;
      const note = (id: string) => {
        if (isSent) sent.set(message.id, { id, text: textOf(message).trim() });
      };
      return streamOf(options.chatId, noting(steps, note), options.abortSignal);
    },
    async reconnectToStream({ chatId, abortSignal }) {
      const turn = (resumed.get(chatId) ?? 0) + 1;
      resumed.set(chatId, turn);
      const conversation = await conversationId(chatId);
      if (conversation === undefined) return null;
      const { nodes } = await client.messages({ conversationId: conversation, last: 1 });
      const reply = nodes[0];
      if (!reply || reply.progressCursor === null) return null;
      return streamOf(chatId, client.follow(reply), abortSignal, turn);
    },
  };
}

/** Tells the id of the message that a stream answers. */
async function* noting(steps: ReplyStream, onMessage: (id: string) => void): ReplyStream {
  for await (const step of steps) {
    if (step.event?.__typename === 'ReplyRequested') onMessage(step.event.message.id);
    yield step;
  }
}

function isObject(value: unknown): value is { [key: string]: never } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
