import type { ClientOptions } from './interface.js';

// Nothing here is indented within a text, nor has spaces around its braces: they would be a tenth of what is loaded.
const CONVERSATION =
  'id title createdAt updatedAt pinnedAt archivedAt deletedAt state revision metadata unreadCount lastMessage{id}';
const MESSAGE =
  'id conversation{id}parent{id}role status progressCursor failure{code message retryable}finishReason assistantId model ' +
  'usage{inputTokens outputTokens cachedInputTokens estimated cost}feedback{rating comment}metadata position ' +
  'siblingIndex siblingCount previousVersionId nextVersionId createdAt finishedAt';
const TOOL_CALL = 'id callId name arguments';
const PARTS =
  `parts{__typename ...on TextPart{text}...on ReasoningPart{text startedAt finishedAt}...on ToolCall{${TOOL_CALL}}}`;
const PROGRESS =
  '__typename ...on ReplyStarted{cursor attempt}...on ReplyRestarted{cursor attempt}...on ReplyText{cursor text}' +
  `...on ReplyReasoning{cursor text}...on ReplyToolCall{cursor toolCall{__typename ${TOOL_CALL}}}`;
const PAGE_INFO = 'pageInfo{hasPreviousPage hasNextPage startCursor endCursor}';

/** Selects whole rows: the conversations and messages that are in these fields. */
export function rowsOf(fields: string): string {
  return fields.replace(/\w+/g, (field) => `${field}{...${field === 'conversation' ? 'Conversation' : 'Message'}Fields}`);
}

export const CONVERSATIONS = `nodes{...ConversationFields}${PAGE_INFO}`;
export const MESSAGES = `nodes{...MessageFields}${PAGE_INFO}`;
export const HITS =
  'nodes{conversation{...ConversationFields}message{id role createdAt}' +
  `snippet{text ranges{start end}startsInside endsInside}}${PAGE_INFO}`;

const RANGE = '{minimum maximum default}';
const ALLOWANCE = '{limit used reserved}';
export const ASSISTANTS =
  `id name description isDefault contextTokens temperature${RANGE}topP${RANGE}maxTokens${RANGE}` +
  'reasoningEfforts price{currency input cachedInput output}';
export const SETTINGS = 'assistantId instructions parameters{temperature topP maxTokens reasoningEffort}';
export const QUOTAS = `quotas{period resetsAt assistantId replies${ALLOWANCE}tokens${ALLOWANCE}cost${ALLOWANCE}}`;
export const USAGE = 'usage(since:$since,until:$until){day assistantId replies tokens cost}';

/** A document with one field, whose arguments, if it has any, are its variables: `id:ID!,first:Int`. */
export function document(operation: string, field: string, parameters: string, selection: string): string {
  const list = (text: string) => text && `(${text})`;
  const declared = list(parameters.replace(/\w+:/g, '$$$&'));
  return `${operation}${declared}{${field}${list(parameters.replace(/(\w+):[\w!]+/g, '$1:$$$1'))}{${selection}}}`;
}

// The end of a reply brings no text again, and what a reply does not change itself: the number of unread messages.
export const FEED =
  'subscription($since:String){changes(since:$since,replyText:true){__typename ' +
  '...on ConversationChanged{cursor conversation{...ConversationFields}}' +
  '...on ConversationRestored{cursor conversation{...ConversationFields}}' +
  '...on ConversationDeleted{cursor conversationId}' +
  '...on ActivePathChanged{cursor conversation{...ConversationFields}}' +
  '...on MessageChanged{cursor message{...MessageFields conversation{unreadCount}}}' +
  '...on MessageDeleted{cursor messageId conversationId}' +
  `...on ReplyProgressed{cursor messageId event{${PROGRESS}` +
  '...on ReplyEnded{cursor reply{...MessageHead conversation{unreadCount}}}}}}}';

/** Adds to a document the fragments that it spreads, with the further fields that the client was asked for. */
export function completer({ conversation = '', message = '' }: ClientOptions['fields'] = {}): (document: string) => string {
  const fragments: readonly (readonly [name: string, type: string, selection: string])[] = [
    [
      'ReplyEventFields',
      'ReplyEvent',
      `${PROGRESS}...on ReplyRequested{cursor conversation{...ConversationFields}message{...MessageFields}` +
        'reply{...MessageFields}}...on ReplyEnded{cursor reply{...MessageFields}}',
    ],
    ['MessageFields', 'Message', `...MessageHead ${PARTS}`],
    ['MessageHead', 'Message', `${MESSAGE} ${message}`],
    ['ConversationFields', 'Conversation', `${CONVERSATION} ${conversation}`],
  ];
  return (document) =>
    fragments.reduce(
      (text, [name, type, selection]) => (text.includes(`...${name}`) ? `${text} fragment ${name} on ${type}{${selection}}` : text),
      document,
    );
}
