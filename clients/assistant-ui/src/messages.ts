import { ExportedMessageRepository, type ThreadMessage, type ThreadMessageLike } from '@assistant-ui/react';
import type { Message, MessagePart, OutgoingMessage, Replica, Thread } from '@causerie/client';

/** Rows are immutable, so that each is converted once. */
const converted = new WeakMap<Message | OutgoingMessage, ThreadMessage>();

/** The thread as assistant-ui shows it: the active path, with the other versions of each message beside it. */
export function repositoryOf(replica: Replica, thread: Thread): ExportedMessageRepository {
  const messages: ExportedMessageRepository['messages'] = [];
  let parentId: string | null = null;
  for (const row of thread.messages) {
    for (const id of row.siblingCount > 1 ? replica.versions(row.id) : [row.id]) {
      const version = id === row.id ? row : replica.message(id);
      messages.push({ parentId, message: version ? convert(version, likeOf) : unknown(id, row.role) });
    }
    parentId = row.id;
  }
  for (const outgoing of thread.outgoing) {
    messages.push({ parentId, message: convert(outgoing, likeOfOutgoing) });
    parentId = outgoing.key;
  }
  return { headId: parentId, messages };
}

function convert<Row extends Message | OutgoingMessage>(row: Row, like: (row: Row) => ThreadMessageLike): ThreadMessage {
  const message = converted.get(row) ?? whole(like(row));
  converted.set(row, message);
  return message;
}

function whole(message: ThreadMessageLike): ThreadMessage {
  const [item] = ExportedMessageRepository.fromBranchableArray([{ message, parentId: null }]).messages;
  return item!.message;
}

/** A version that is not loaded: it is once it is shown. */
function unknown(id: string, role: Message['role']): ThreadMessage {
  return whole({ id, role: role === 'USER' ? 'user' : 'assistant', content: [] });
}

function likeOf(row: Message): ThreadMessageLike {
  const common = { id: row.id, createdAt: new Date(row.createdAt), content: row.parts.flatMap(contentOf) };
  // The row itself is there for what assistant-ui has no place for, such as `usage` or `failure`.
  const custom = { message: row };
  if (row.role === 'USER') return { ...common, role: 'user', metadata: { custom } };
  const submittedFeedback = row.feedback && { type: row.feedback.rating === 'UP' ? ('positive' as const) : ('negative' as const) };
  return {
    ...common,
    role: 'assistant',
    status: statusOf(row),
    metadata: { custom, ...(submittedFeedback && { submittedFeedback }) },
  };
}

function likeOfOutgoing(row: OutgoingMessage): ThreadMessageLike {
  return {
    id: row.key,
    role: 'user',
    createdAt: new Date(row.createdAt),
    content: row.content,
    metadata: { isOptimistic: true, custom: { outgoing: row } },
  };
}

type Content = Exclude<ThreadMessageLike['content'], string>[number];

function contentOf(part: MessagePart): Content[] {
  switch (part.__typename) {
    case 'TextPart':
      return [{ type: 'text', text: part.text }];
    case 'ReasoningPart':
      return [{ type: 'reasoning', text: part.text }];
    case 'ToolCall':
      return [{ type: 'tool-call', toolCallId: part.id, toolName: part.name, argsText: part.arguments }];
    default:
      return [];
  }
}

function statusOf({ status, finishReason, failure }: Message): NonNullable<ThreadMessageLike['status']> {
  switch (status) {
    case 'STOPPED':
      return { type: 'incomplete', reason: 'cancelled' };
    case 'FAILED':
      return { type: 'incomplete', reason: 'error', error: failure?.message ?? null };
    case 'COMPLETE':
      if (finishReason === 'LENGTH') return { type: 'incomplete', reason: 'length' };
      if (finishReason === 'CONTENT_FILTER') return { type: 'incomplete', reason: 'content-filter' };
      return { type: 'complete', reason: 'stop' };
    default:
      return { type: 'running' };
  }
}
