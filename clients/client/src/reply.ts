import type { Message, MessagePart, ReasoningPart, ReplyEvent, TextPart } from './types.js';

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
      return { ...reply, parts: append(reply.parts, { __typename: 'TextPart', text: event.text }), content: reply.content + event.text };
    case 'ReplyReasoning':
      return { ...reply, parts: append(reply.parts, { __typename: 'ReasoningPart', text: event.text, startedAt: now(), finishedAt: null }) };
    case 'ReplyToolCall':
      return { ...reply, parts: [...closed(reply.parts), event.toolCall] };
    case 'ReplyEnded':
      // The feed's has no parts, as they are here already.
      return { parts: closed(reply.parts), content: reply.content, ...(event.reply as Partial<Message>) } as Message;
    default:
      return reply;
  }
}

/** The parts with one more, or with its text in the last one if that is of its kind. */
function append(parts: readonly MessagePart[], part: TextPart | ReasoningPart): readonly MessagePart[] {
  const last = parts.at(-1);
  if (last?.__typename !== part.__typename) return [...closed(parts), part];
  return [...parts.slice(0, -1), { ...last, text: (last as typeof part).text + part.text } as MessagePart];
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
