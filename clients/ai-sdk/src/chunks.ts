import type { Message, MessagePart, ReplyStream } from '@causerie/client';
import type { FinishReason, UIMessageChunk } from 'ai';
import { inputOf, metadataOf } from './messages.js';

const REASONS: Readonly<Record<string, FinishReason>> = {
  STOP: 'stop',
  LENGTH: 'length',
  TOOL_CALLS: 'tool-calls',
  CONTENT_FILTER: 'content-filter',
};

/** The steps of a reply as the AI SDK's chunks. `onReply` is told of each, before its chunks. */
export async function* chunksOf(
  steps: ReplyStream,
  onReply: (reply: Message) => void,
): AsyncGenerator<UIMessageChunk, void, undefined> {
  let open: { readonly id: string; readonly type: 'text' | 'reasoning' } | undefined;
  let count = 0;
  let hasStarted = false;

  function* close(): Generator<UIMessageChunk> {
    if (open) yield { type: `${open.type}-end`, id: open.id };
    open = undefined;
  }
  function* add(type: 'text' | 'reasoning', delta: string): Generator<UIMessageChunk> {
    if (open?.type !== type) {
      yield* close();
      open = { id: String((count += 1)), type };
      yield { type: `${type}-start`, id: open.id };
    }
    yield { type: `${type}-delta`, id: open.id, delta };
  }
  function* part(part: MessagePart): Generator<UIMessageChunk> {
    if (part.__typename === 'TextPart') yield* add('text', part.text);
    else if (part.__typename === 'ReasoningPart') yield* add('reasoning', part.text);
    else if (part.__typename === 'ToolCall') {
      yield* close();
      const { id: toolCallId, name: toolName } = part;
      // The server does not wait for a result from here.
      yield { type: 'tool-input-available', toolCallId, toolName, input: inputOf(part), dynamic: true, providerExecuted: true };
    }
  }

  for await (const { reply, event } of steps) {
    onReply(reply);
    if (!hasStarted) {
      hasStarted = true;
      yield { type: 'start', messageId: reply.id, messageMetadata: metadataOf(reply) };
      yield { type: 'start-step' };
      for (const existing of reply.parts) yield* part(existing);
    } else if (event?.__typename === 'ReplyText') yield* add('text', event.text);
    else if (event?.__typename === 'ReplyReasoning') yield* add('reasoning', event.text);
    else if (event?.__typename === 'ReplyToolCall') yield* part(event.toolCall);
    else if (event?.__typename === 'ReplyRestarted' || event?.__typename === 'ReplyRequested') {
      open = undefined;
      yield { type: 'reset-step' };
    }
    if (reply.finishedAt === null) continue;
    yield* close();
    yield { type: 'finish-step' };
    yield { type: 'finish', finishReason: REASONS[reply.finishReason ?? ''] ?? 'other', messageMetadata: metadataOf(reply) };
    if (reply.status === 'FAILED') yield { type: 'error', errorText: reply.failure?.message ?? 'The reply has failed.' };
    return;
  }
}
