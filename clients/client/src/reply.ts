import type { Message, MessagePart, ReplyEvent } from './types.js';

/** The reply after an event. */
export function advance(reply: Message, event: ReplyEvent): Message {
  switch (event.__typename) {
    case 'ReplyRequested':
      // What follows brings the reply from its start.
      return { ...event.reply, parts: [], content: '' };
    case 'ReplyStarted':
      return { ...reply, status: 'GENERATING' };
    case 'ReplyRestarted':
      return { ...reply, status: 'GENERATING', parts: [], content: '' };
    case 'ReplyText':
      return { ...reply, parts: append(reply.parts, 'TextPart', event.text), content: reply.content + event.text };
    case 'ReplyReasoning':
      return { ...reply, parts: append(reply.parts, 'ReasoningPart', event.text) };
    case 'ReplyToolCall':
      return { ...reply, parts: [...closed(reply.parts), event.toolCall] };
    case 'ReplyEnded': {
      // The feed's has no parts, as they are here already.
      const { parts = closed(reply.parts), content = reply.content } = event.reply as Partial<Message>;
      return { ...event.reply, parts, content };
    }
    default:
      return reply;
  }
}

function append(parts: readonly MessagePart[], kind: 'TextPart' | 'ReasoningPart', text: string): readonly MessagePart[] {
  const last = parts.at(-1);
  if (last?.__typename === kind) return [...parts.slice(0, -1), { ...last, text: last.text + text } as MessagePart];
  const part: MessagePart =
    kind === 'TextPart' ? { __typename: kind, text } : { __typename: kind, text, startedAt: now(), finishedAt: null };
  return [...closed(parts), part];
}

/** The parts, with the time of the last reasoning if that is over now. */
function closed(parts: readonly MessagePart[]): readonly MessagePart[] {
  const last = parts.at(-1);
  if (last?.__typename !== 'ReasoningPart' || last.finishedAt) return parts;
  return [...parts.slice(0, -1), { ...last, finishedAt: now() }];
}

function now(): string {
  return new Date().toISOString();
}
