import type { Failure, Message, MessagePart, ToolCall, Usage } from '@causerie/client';
import type { UIMessage } from 'ai';

/** What the server knows of a message beside its parts, as the `metadata` of a UI message. */
export interface CauserieMetadata {
  readonly status: Message['status'];
  readonly createdAt: string;
  readonly finishReason: string | null;
  readonly model: string | null;
  readonly usage: Usage | null;
  readonly failure: Failure | null;
  readonly siblingIndex: number;
  readonly siblingCount: number;
}

export function metadataOf(row: Message): CauserieMetadata {
  const { status, createdAt, finishReason, model, usage, failure, siblingIndex, siblingCount } = row;
  return { status, createdAt, finishReason, model, usage, failure, siblingIndex, siblingCount };
}

/** A stored message as the AI SDK shows it. Its id is the server's. */
export function toUIMessage<Message_ extends UIMessage = UIMessage<CauserieMetadata>>(row: Message): Message_ {
  const parts = row.parts.map(partOf).filter((part) => part !== undefined);
  const role = row.role === 'USER' ? 'user' : 'assistant';
  return { id: row.id, role, metadata: metadataOf(row), parts } as UIMessage<CauserieMetadata> as unknown as Message_;
}

function partOf(part: MessagePart): UIMessage['parts'][number] | undefined {
  switch (part.__typename) {
    case 'TextPart':
      return { type: 'text', text: part.text, state: 'done' };
    case 'ReasoningPart':
      return { type: 'reasoning', text: part.text, state: 'done' };
    case 'ToolCall':
      return { type: 'dynamic-tool', toolCallId: part.id, toolName: part.name, state: 'input-available', input: inputOf(part), providerExecuted: true };
    default:
      return undefined;
  }
}

/** The arguments of a call; those that are not JSON as they are. */
export function inputOf(call: ToolCall): unknown {
  try {
    return JSON.parse(call.arguments);
  } catch {
    return call.arguments;
  }
}

/** The text of a message that is to be sent. */
export function textOf({ parts }: UIMessage): string {
  const others = parts.filter(({ type }) => type !== 'text' && !type.startsWith('data-'));
  if (others.length > 0) throw new Error('The server takes messages of text only.');
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n\n');
}
