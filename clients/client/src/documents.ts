import type { ClientOptions } from './interface.js';

const CONVERSATION =
  'id title createdAt updatedAt pinnedAt archivedAt deletedAt state revision metadata unreadCount lastMessage { id }';
const MESSAGE = `id conversation { id } parent { id } role status progressCursor failure { code message retryable }
  finishReason assistantId model usage { inputTokens outputTokens cachedInputTokens estimated cost } feedback { rating comment } metadata position
  siblingIndex siblingCount previousVersionId nextVersionId createdAt finishedAt`;
const PARTS = `parts { __typename ... on TextPart { text } ... on ReasoningPart { text startedAt finishedAt }
  ... on ToolCall { id callId name arguments } }`;
const PROGRESS = `__typename
  ... on ReplyStarted { cursor attempt }
  ... on ReplyReasoning { cursor text }
  ... on ReplyText { cursor text }
  ... on ReplyToolCall { cursor toolCall { __typename id callId name arguments } }
  ... on ReplyRestarted { cursor attempt }`;
const PAGE_INFO = 'pageInfo { hasPreviousPage hasNextPage startCursor endCursor }';

export const CONVERSATIONS = `nodes { ...ConversationFields } ${PAGE_INFO}`;
export const MESSAGES = `nodes { ...MessageFields } ${PAGE_INFO}`;
export const HITS = `nodes { conversation { ...ConversationFields } message { id role createdAt }
  snippet { text ranges { start end } startsInside endsInside } } ${PAGE_INFO}`;

const RANGE = '{ minimum maximum default }';
const ALLOWANCE = '{ limit used reserved }';
export const ASSISTANTS = `{ assistants { id name description isDefault contextTokens temperature ${RANGE} topP ${RANGE}
  maxTokens ${RANGE} reasoningEfforts price { currency input cachedInput output } } }`;
export const SETTINGS = 'assistantId instructions parameters { temperature topP maxTokens reasoningEffort }';
export const QUOTAS = `quotas { period resetsAt assistantId replies ${ALLOWANCE} tokens ${ALLOWANCE} cost ${ALLOWANCE} }`;
export const USAGE = 'usage(since: $since, until: $until) { day assistantId replies tokens cost }';

/** A document with one field, whose arguments are its variables: `id: ID!, first: Int`. */
export function document(operation: string, field: string, parameters: string, selection: string): string {
  const passed = parameters.replace(/(\w+): [\w!]+/g, '$1: $$$1');
  return `${operation} (${parameters.replace(/\w+:/g, '$$$&')}) { ${field}(${passed}) { ${selection} } }`;
}

// The end of a reply brings no text again, and what a reply does not change itself: the number of unread messages.
export const FEED = `subscription ($since: String) {
  changes(since: $since, replyText: true) {
    __typename
    ... on ConversationChanged { cursor conversation { ...ConversationFields } }
    ... on ConversationRestored { cursor conversation { ...ConversationFields } }
    ... on ConversationDeleted { cursor conversationId }
    ... on ActivePathChanged { cursor conversation { ...ConversationFields } }
    ... on MessageChanged { cursor message { ...MessageFields conversation { unreadCount } } }
    ... on MessageDeleted { cursor messageId conversationId }
    ... on ReplyProgressed { cursor messageId event { ${PROGRESS}
      ... on ReplyEnded { cursor reply { ...MessageHead conversation { unreadCount } } } } }
  }
}`;

/** The fragments that documents may spread, with the further fields that the client was asked for. */
function fragments({ conversation = '', message = '' }: NonNullable<ClientOptions['fields']>): Record<string, string> {
  return {
    ReplyEventFields: `fragment ReplyEventFields on ReplyEvent { ${PROGRESS}
      ... on ReplyRequested { cursor conversation { ...ConversationFields } message { ...MessageFields }
        reply { ...MessageFields } }
      ... on ReplyEnded { cursor reply { ...MessageFields } } }`,
    MessageFields: `fragment MessageFields on Message { ...MessageHead ${PARTS} }`,
    MessageHead: `fragment MessageHead on Message { ${MESSAGE} ${message} }`,
    ConversationFields: `fragment ConversationFields on Conversation { ${CONVERSATION} ${conversation} }`,
  };
}

/** Adds to a document the fragments that it spreads. */
export function completer(fields: ClientOptions['fields'] = {}): (document: string) => string {
  const known = Object.entries(fragments(fields));
  return (document) =>
    known.reduce((text, [name, fragment]) => (text.includes(`...${name}`) ? `${text}\n${fragment}` : text), document);
}
