// The rows and events of the API, as the documents of this package select them. schema.graphql documents every field;
// a test compares these types with it.

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export type ConversationState = 'ACTIVE' | 'ARCHIVED' | 'TRASHED';
export type ConversationOrder =
  | 'UPDATED_AT_DESC'
  | 'UPDATED_AT_ASC'
  | 'CREATED_AT_DESC'
  | 'CREATED_AT_ASC'
  | 'TITLE_ASC'
  | 'TITLE_DESC'
  | 'PINNED_FIRST';
export type Role = 'USER' | 'ASSISTANT';
export type MessageStatus = 'QUEUED' | 'GENERATING' | 'COMPLETE' | 'STOPPED' | 'FAILED';
export type OnBusy = 'ENQUEUE' | 'REJECT' | 'INTERRUPT' | 'ROLLBACK';
export type Rating = 'UP' | 'DOWN';

export interface Conversation {
  readonly id: string;
  readonly title: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly pinnedAt: string | null;
  readonly archivedAt: string | null;
  readonly deletedAt: string | null;
  readonly state: ConversationState;
  readonly revision: string;
  readonly metadata: JsonObject;
  readonly unreadCount: number;
  /** The end of the active path. */
  readonly lastMessage: { readonly id: string } | null;
}

export interface TextPart {
  readonly __typename: 'TextPart';
  readonly text: string;
}
export interface ReasoningPart {
  readonly __typename: 'ReasoningPart';
  readonly text: string;
  /** While the reasoning is streamed, this is when its first word was received. */
  readonly startedAt: string;
  readonly finishedAt: string | null;
}
export interface ToolCall {
  readonly __typename: 'ToolCall';
  readonly id: string;
  readonly callId: string;
  readonly name: string;
  /** JSON text, as the assistant wrote it. It may not be valid JSON. */
  readonly arguments: string;
}
/** Later versions of the server may send further kinds: ignore those that you do not know. */
export type MessagePart = TextPart | ReasoningPart | ToolCall;

export interface Failure {
  /** One of the schema's `FailureCode`, or a later one. */
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

export interface Usage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedInputTokens: number | null;
  /** Whether the provider has not reported the tokens, so that they are an estimate. */
  readonly estimated: boolean;
  /** A decimal number in the server's currency, as text; `null` if the price is not known. */
  readonly cost: string | null;
}

export interface Feedback {
  readonly rating: Rating;
  readonly comment: string | null;
}

export interface Message {
  readonly id: string;
  readonly conversation: { readonly id: string };
  readonly parent: { readonly id: string } | null;
  readonly role: Role;
  readonly status: MessageStatus;
  /** The texts of the parts, concatenated. It is not sent a second time: this package puts it together. */
  readonly content: string;
  readonly parts: readonly MessagePart[];
  readonly progressCursor: string | null;
  readonly failure: Failure | null;
  readonly finishReason: string | null;
  /** The assistant that was asked; `null` for a user's message. */
  readonly assistantId: string | null;
  readonly model: string | null;
  readonly usage: Usage | null;
  readonly feedback: Feedback | null;
  readonly metadata: JsonObject;
  readonly position: number;
  readonly siblingIndex: number;
  readonly siblingCount: number;
  readonly previousVersionId: string | null;
  readonly nextVersionId: string | null;
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

export interface Page<Item> {
  readonly nodes: readonly Item[];
  readonly pageInfo: {
    readonly hasPreviousPage: boolean;
    readonly hasNextPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

/** What a stream of a reply brings. Ignore kinds that you do not know. */
export type ReplyEvent =
  | {
      readonly __typename: 'ReplyRequested';
      readonly cursor: string;
      readonly conversation: Conversation;
      readonly message: Message;
      readonly reply: Message;
    }
  | { readonly __typename: 'ReplyStarted'; readonly cursor: string; readonly attempt: number }
  | { readonly __typename: 'ReplyReasoning'; readonly cursor: string; readonly text: string }
  | { readonly __typename: 'ReplyText'; readonly cursor: string; readonly text: string }
  | { readonly __typename: 'ReplyToolCall'; readonly cursor: string; readonly toolCall: ToolCall }
  | { readonly __typename: 'ReplyRestarted'; readonly cursor: string; readonly attempt: number }
  | { readonly __typename: 'ReplyEnded'; readonly cursor: string; readonly reply: Message };

/** What the feed brings. Ignore kinds that you do not know. */
export type ChangeEvent =
  | { readonly __typename: 'ConversationChanged'; readonly cursor: string; readonly conversation: Conversation }
  | { readonly __typename: 'ConversationRestored'; readonly cursor: string; readonly conversation: Conversation }
  | { readonly __typename: 'ConversationDeleted'; readonly cursor: string; readonly conversationId: string }
  | { readonly __typename: 'ActivePathChanged'; readonly cursor: string; readonly conversation: Conversation }
  | { readonly __typename: 'MessageChanged'; readonly cursor: string; readonly message: Message }
  | {
      readonly __typename: 'MessageDeleted';
      readonly cursor: string;
      readonly messageId: string;
      readonly conversationId: string;
    }
  | {
      readonly __typename: 'ReplyProgressed';
      readonly cursor: string;
      readonly messageId: string;
      readonly event: ReplyEvent;
    };

export interface SearchHit {
  readonly conversation: Conversation;
  /** `null` if the title matches. */
  readonly message: { readonly id: string; readonly role: Role; readonly createdAt: string } | null;
  /** Plain text: escape it in HTML. The ranges are for `text.slice(start, end)`. */
  readonly snippet: {
    readonly text: string;
    readonly ranges: readonly { readonly start: number; readonly end: number }[];
    readonly startsInside: boolean;
    readonly endsInside: boolean;
  };
}

/** What a number of an assistant's parameters may be. */
export interface Range {
  readonly minimum: number;
  readonly maximum: number;
  /** What is sent unless it is set; `null` if the model then decides. */
  readonly default: number | null;
}

export interface Assistant {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly isDefault: boolean;
  readonly contextTokens: number;
  /** `null` for each parameter that cannot be set. */
  readonly temperature: Range | null;
  readonly topP: Range | null;
  readonly maxTokens: Range | null;
  /** Empty if it cannot be set. */
  readonly reasoningEfforts: readonly string[];
  /** Decimal numbers, as text. */
  readonly price: { readonly currency: string; readonly input: string; readonly cachedInput: string; readonly output: string } | null;
}

export interface Settings {
  /** `null` for the usual one. */
  readonly assistantId: string | null;
  readonly instructions: string | null;
  /** Only conversations have parameters; `null` if none is set. */
  readonly parameters?: { readonly [Name in keyof Parameters]-?: Exclude<Parameters[Name], undefined> } | null;
}

/** Of a quota; `null` in its place if the quota does not limit this. */
export interface Allowance<Amount = number> {
  readonly limit: Amount;
  readonly used: Amount;
  /** For replies that have not ended. */
  readonly reserved: Amount;
}

export interface Quota {
  readonly period: 'DAY' | 'MONTH';
  readonly resetsAt: string;
  /** Whose replies count; `null` for all. */
  readonly assistantId: string | null;
  readonly replies: Allowance | null;
  readonly tokens: Allowance | null;
  /** Decimal numbers in the server's currency, as text. */
  readonly cost: Allowance<string> | null;
}

export interface UsageDay {
  readonly day: string;
  readonly assistantId: string;
  readonly replies: number;
  readonly tokens: number;
  /** A decimal number in the server's currency, as text. */
  readonly cost: string;
}

interface Keyed {
  /** The key of this request, so that a repetition changes nothing. By default a random one. */
  readonly idempotencyKey?: string | undefined;
}
/** How an assistant is to write. What is left out is as the conversation says, or the model's. */
export interface Parameters {
  readonly temperature?: number | null | undefined;
  readonly topP?: number | null | undefined;
  readonly maxTokens?: number | null | undefined;
  readonly reasoningEffort?: string | null | undefined;
}
interface Requesting extends Keyed {
  readonly onBusy?: OnBusy | undefined;
  readonly metadata?: JsonObject | undefined;
  /** The assistant that is to write the reply, if there are several. */
  readonly assistantId?: string | undefined;
  readonly parameters?: Parameters | undefined;
}
export interface SendMessageInput extends Requesting {
  /** Without it, the message starts a conversation. */
  readonly conversationId?: string | undefined;
  readonly content: string;
}
export interface EditMessageInput extends Requesting {
  readonly messageId: string;
  readonly content: string;
}
export interface RegenerateReplyInput extends Requesting {
  readonly messageId: string;
}
export interface RetryReplyInput extends Keyed {
  readonly messageId: string;
}
export interface CreateConversationInput extends Keyed {
  readonly title?: string | undefined;
  readonly metadata?: JsonObject | undefined;
  readonly assistantId?: string | undefined;
  readonly parameters?: Parameters | undefined;
  readonly instructions?: string | undefined;
}
export interface UpdateConversationInput extends Keyed {
  readonly conversationId: string;
  readonly title?: string | undefined;
  readonly pinned?: boolean | undefined;
  readonly archived?: boolean | undefined;
  readonly metadata?: JsonObject | undefined;
  /** `null` removes it, as it does the next two. */
  readonly assistantId?: string | null | undefined;
  readonly parameters?: Parameters | null | undefined;
  readonly instructions?: string | null | undefined;
  readonly ifRevision?: string | undefined;
}
export interface ConfigureViewerInput extends Keyed {
  /** `null` for the server's default one. */
  readonly assistantId?: string | null | undefined;
  /** What every assistant is told before each conversation; `null` for nothing. */
  readonly instructions?: string | null | undefined;
}
export interface ConversationFilter {
  readonly states?: readonly ConversationState[] | undefined;
  readonly pinned?: boolean | undefined;
  readonly titleContains?: string | undefined;
  readonly updatedSince?: string | undefined;
  readonly metadata?: JsonObject | undefined;
}
export interface SearchFilter {
  readonly conversationId?: string | undefined;
  readonly scope?: 'MESSAGES' | 'TITLES' | undefined;
  readonly role?: Role | undefined;
  readonly activePathOnly?: boolean | undefined;
  readonly createdSince?: string | undefined;
  readonly createdBefore?: string | undefined;
}
export interface Paging {
  readonly first?: number | undefined;
  readonly after?: string | undefined;
  readonly last?: number | undefined;
  readonly before?: string | undefined;
}
