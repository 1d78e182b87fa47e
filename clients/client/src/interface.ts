import type {
  Assistant,
  ChangeEvent,
  ConfigureViewerInput,
  Conversation,
  ConversationFilter,
  ConversationOrder,
  ConversationState,
  CreateConversationInput,
  EditMessageInput,
  JsonObject,
  Message,
  Page,
  Paging,
  Quota,
  Rating,
  RegenerateReplyInput,
  ReplyEvent,
  RetryReplyInput,
  SearchFilter,
  SearchHit,
  SendMessageInput,
  Settings,
  UpdateConversationInput,
  UsageDay,
} from './types.js';

export interface ClientOptions {
  /** The server's GraphQL endpoint, such as `https://chat.example/graphql`. */
  readonly url: string;
  /**
   * The user's token, or a function that returns it. The function is called before each request. When the server has
   * refused its last token, it is called once more with `true`, for all requests that were refused meanwhile: it must then
   * return a new one, not one from a cache. If it fails, or takes longer than the request may, that counts as a lost
   * connection, unless it throws a `CauserieError` of its own, such as one with the code `UNAUTHENTICATED`.
   */
  readonly token?: string | ((refused: boolean) => string | Promise<string>) | undefined;
  /** By default the `fetch` of the runtime. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /**
   * Carries subscriptions instead of event streams, such as `iterate` of a client of `graphql-ws`: all of them, unless
   * there is `blockedAfter`.
   */
  readonly iterate?: ((request: GraphQLRequest) => GraphQLResults) | undefined;
  /**
   * Some networks hold event streams back. With this, event streams carry subscriptions until one brings no byte within so
   * many milliseconds, or has no connection, though requests get through; from then on `iterate` carries them, until that
   * fails in the same way. With 0, `iterate` is the first of the two.
   */
  readonly blockedAfter?: number | undefined;
  /** More fields that every conversation or message is to have, such as `messageCount`. */
  readonly fields?: { readonly conversation?: string | undefined; readonly message?: string | undefined } | undefined;
  /**
   * After this many milliseconds without a byte an event stream counts as lost, and is resumed: by default 30,000, of
   * which the first byte may take 10,000. It must be longer than the server's `--keep-alive`. After a sleep of the
   * computer that was longer, it is resumed within a second.
   */
  readonly silence?: number | undefined;
}

export interface GraphQLRequest {
  readonly query: string;
  readonly variables?: Record<string, unknown>;
}
/** The results of one subscription. */
export interface GraphQLResults extends AsyncIterable<GraphQLResult> {
  /** Resolves once the connection is there; without it, it counts as there at once. */
  readonly opened?: Promise<void> | undefined;
}
export interface GraphQLResult {
  readonly data?: unknown;
  readonly errors?: readonly { readonly message: string; readonly extensions?: Record<string, unknown> | undefined }[] | undefined;
}

export interface RequestOptions {
  /** Ends the request. It never stops a reply: `stop` does. */
  readonly signal?: AbortSignal | undefined;
  /**
   * After this many milliseconds without an answer the request counts as lost: by default 60,000, and for a mutation that
   * awaits a reply never, which is 0. Streams have `silence` in its place.
   */
  readonly timeout?: number | undefined;
}

/** One step of a reply. */
export interface ReplyUpdate {
  /** The reply as it is after the event: a new object each time. */
  readonly reply: Message;
  /** What has happened. It is `undefined` for the first step of `follow`, which brings what there is already. */
  readonly event: ReplyEvent | undefined;
  /** The cursor of the event: `follow` goes on after it, and so does the same request with it as `after`. */
  readonly cursor: string | null;
}

/**
 * The steps of a reply, to its end. A lost connection is resumed after the last step, at any server, until `signal` is
 * aborted; nothing is repeated, skipped or sent twice. Leaving the loop does not stop the reply; `stop` does.
 */
export type ReplyStream = AsyncGenerator<ReplyUpdate, void, undefined>;

export interface Client {
  /**
   * Runs a query or mutation, which is not repeated. Any document may spread `...ConversationFields`, `...MessageFields`
   * and `...ReplyEventFields`, which select what the types `Conversation`, `Message` and `ReplyEvent` have.
   */
  query<Data>(query: string, variables?: Record<string, unknown>, options?: RequestOptions): Promise<Data>;
  /** Runs a subscription over one connection; when that is lost, it fails with a retryable `CauserieError`. */
  subscribe<Data>(
    query: string,
    variables?: Record<string, unknown>,
    options?: RequestOptions,
  ): AsyncGenerator<Data, void, undefined>;

  /**
   * Runs one mutation, such as `updateConversations`, and returns its payload. It gets a key and is repeated twice when
   * the network or the server fails, so that it happens once.
   */
  mutate<Payload>(mutation: string, input: object, selection: string, options?: RequestOptions): Promise<Payload>;

  /** Sends a message and streams the reply, in one request. */
  send(input: SendMessageInput, options?: RequestOptions): ReplyStream;
  /** Sends a new version of a user's message and streams the reply. */
  edit(input: EditMessageInput, options?: RequestOptions): ReplyStream;
  /** Requests a new version of a reply and streams it. */
  regenerate(input: RegenerateReplyInput, options?: RequestOptions): ReplyStream;
  /** Restarts a reply that failed or was stopped, and streams it. */
  retry(input: RetryReplyInput, options?: RequestOptions): ReplyStream;
  /** Streams a reply: what there is already, then the rest. With a message, it goes on from exactly that message. */
  follow(reply: string | Message, options?: RequestOptions): ReplyStream;
  /** Stops a reply, whichever server writes it, and returns it as it ended. */
  stop(messageId: string): Promise<Message>;

  /** The signed-in user, and the cursor of the last change. */
  viewer(options?: RequestOptions): Promise<{ readonly id: string; readonly changeCursor: string }>;
  conversation(id: string, options?: RequestOptions): Promise<Conversation | null>;
  conversations(
    list?: Paging & { readonly filter?: ConversationFilter | undefined; readonly orderBy?: ConversationOrder | undefined },
    options?: RequestOptions,
  ): Promise<Page<Conversation>>;
  message(id: string, options?: RequestOptions): Promise<Message | null>;
  /** The active path of a conversation, or the branch that ends with `leafId`; oldest first, by default the last 20. */
  messages(
    list: Paging & { readonly conversationId: string; readonly leafId?: string | undefined },
    options?: RequestOptions,
  ): Promise<Page<Message>>;
  /** All versions of a message, oldest first: at most the newest 100. */
  versions(messageId: string, options?: RequestOptions): Promise<readonly Message[]>;
  search(
    query: string,
    list?: { readonly first?: number | undefined; readonly after?: string | undefined; readonly filter?: SearchFilter | undefined },
    options?: RequestOptions,
  ): Promise<Page<SearchHit>>;

  createConversation(input?: CreateConversationInput): Promise<Conversation>;
  updateConversation(input: UpdateConversationInput): Promise<Conversation>;
  /** Moves a conversation to the trash. */
  deleteConversation(conversationId: string): Promise<void>;
  restoreConversation(conversationId: string): Promise<Conversation>;
  /** Copies a message and those before it into a new conversation. */
  fork(messageId: string): Promise<Conversation>;
  /** Shows another version of a message, with what follows it. */
  activate(messageId: string): Promise<Conversation>;
  /** Deletes a message and everything below it, for good. */
  deleteMessage(messageId: string): Promise<Conversation>;
  markRead(conversationId: string, upToMessageId: string): Promise<Conversation>;
  /** The assistants that the user may choose, with what their parameters may be. */
  assistants(options?: RequestOptions): Promise<readonly Assistant[]>;
  /** How a conversation is answered, or, without an id, all those that do not say so themselves. */
  settings(conversationId?: undefined, options?: RequestOptions): Promise<Settings>;
  settings(conversationId: string, options?: RequestOptions): Promise<Settings | null>;
  /** Changes the settings for all conversations; `updateConversation` changes those of one. */
  configureViewer(input: ConfigureViewerInput): Promise<void>;
  /** What the user's plan allows, and what is left of it. */
  quotas(options?: RequestOptions): Promise<readonly Quota[]>;
  /** What replies have used, day by day in UTC, such as `2026-11-20`: at most 366 days, up to today by default. */
  usage(since: string, until?: string, options?: RequestOptions): Promise<readonly UsageDay[]>;

  /** Rates a reply; without a rating, removes it. */
  rate(messageId: string, rating: Rating | null, comment?: string): Promise<Message>;

  /**
   * The feed: the user's changes after a cursor, then each further change, with what running replies bring. A lost
   * connection is resumed after the last change, until `signal` is aborted. `onConnection` is told of each connection
   * that is made (`true`) or lost (`false`).
   */
  changes(
    since?: string,
    options?: RequestOptions & { readonly onConnection?: ((connected: boolean, error?: unknown) => void) | undefined },
  ): AsyncGenerator<ChangeEvent, void, undefined>;
}

/** Where what was not sent yet is kept over a reload: `localStorage`, or anything of its shape. */
export type OutboxStorage = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>;

export interface ReplicaOptions {
  readonly client: Client;
  /** Conversations a page, and messages a page: at most 100, by default 30 and 50. */
  readonly pageSizes?: { readonly conversations?: number; readonly messages?: number } | undefined;
  /** Keeps messages that were not sent yet. Without it they last as long as the page. */
  readonly storage?: OutboxStorage | undefined;
  /** A name for the entries in `storage`: one for each user, so that nobody sends what another one wrote. */
  readonly storagePrefix?: string | undefined;
}

/** Whether the replica hears of changes: `offline` while it tries to connect again. */
export type ReplicaStatus = 'idle' | 'connecting' | 'live' | 'offline' | 'signed-out';

export interface ConversationList {
  /** Pinned conversations first, then the others; each most recently updated first. */
  readonly conversations: readonly Conversation[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly error: unknown;
}

/** A message that is on its way to the server. */
export interface OutgoingMessage {
  /** Its idempotency key. If it starts a conversation, this is also the conversation's id until it has one. */
  readonly key: string;
  /** `null` if it starts a conversation. Another outgoing message's key if that one does. */
  readonly conversationId: string | null;
  readonly content: string;
  readonly metadata?: JsonObject | undefined;
  readonly onBusy?: SendMessageInput['onBusy'];
  readonly assistantId?: string | undefined;
  readonly parameters?: SendMessageInput['parameters'];
  readonly createdAt: string;
  /** `waiting` for the network or the server, and tried again by itself; `failed` for a reason that stays. */
  readonly state: 'sending' | 'waiting' | 'failed';
  readonly error?: unknown;
}

export interface Thread {
  /** The active path, as far as it is loaded, oldest first. */
  readonly messages: readonly Message[];
  /** Messages on their way, which follow the others. */
  readonly outgoing: readonly OutgoingMessage[];
  /** Whether there are messages before the first one here: `loadOlder` reads them. */
  readonly hasOlder: boolean;
  readonly isLoading: boolean;
  readonly error: unknown;
  /** The replies that have not ended, on the active path or not: the one that is being written first. */
  readonly running: readonly Message[];
}

/**
 * The user's conversations as the server has them, kept up to date by one connection. It holds what was loaded, and
 * applies every change to it, whichever device has made it.
 *
 * Everything that it returns is immutable, and the same object until it changes: it suits `useSyncExternalStore`.
 */
export interface Replica {
  readonly client: Client;
  readonly status: ReplicaStatus;
  /** Why it is not `live`. */
  readonly error: unknown;
  /** The signed-in user, once known. */
  readonly viewerId: string | undefined;
  /** Loads the first conversations and follows the feed, until `stop`. */
  start(): void;
  stop(): void;
  /** Connects now, rather than when the next attempt is due. */
  reconnect(): void;
  /** Calls the listener after changes, at most once in 16 milliseconds for those of the feed. */
  subscribe(listener: () => void): () => void;

  /** By default active conversations. The first call loads the first page of other states. */
  list(state?: ConversationState): ConversationList;
  loadMore(state?: ConversationState): Promise<void>;
  conversation(id: string): Conversation | undefined;
  /** The id of a conversation that an outgoing message has started, once it has one; any other id as it is. */
  resolve(id: string): string;

  /** The thread of a conversation. It is loaded when it is first asked for. */
  thread(conversationId: string): Thread;
  loadOlder(conversationId: string): Promise<void>;
  /** Loads the thread back to this message, after activating its branch if it is on another one. */
  reveal(conversationId: string, messageId: string): Promise<void>;
  message(id: string): Message | undefined;
  /** Whether a reply of the conversation is being written, as far as is known without loading its thread. */
  isWriting(conversationId: string): boolean;
  /** The ids of all versions of a message on a loaded thread, oldest first; at most the newest 100. */
  versions(messageId: string): readonly string[];
  /** Forgets the messages of a thread that is not shown any more; it is loaded again when it is asked for. */
  forget(conversationId: string): void;

  /**
   * Puts a message on its way and returns it at once. It is sent exactly once, when there is a connection, also after a
   * reload if there is `storage`.
   */
  send(input: SendMessageInput): OutgoingMessage;
  /** Sends a `failed` message again. */
  resend(key: string): void;
  /** Takes a message back that was not sent. */
  discard(key: string): void;

  // These do as the client's do, and show the result at once; what replies bring comes by the feed.
  edit(input: EditMessageInput): Promise<Message>;
  regenerate(input: RegenerateReplyInput): Promise<Message>;
  retry(input: RetryReplyInput): Promise<Message>;
  stopReply(messageId: string): Promise<Message>;
  activate(messageId: string): Promise<void>;
  deleteMessage(messageId: string): Promise<void>;
  rate(messageId: string, rating: Rating | null, comment?: string): Promise<void>;
  markRead(conversationId: string): Promise<void>;
  updateConversation(input: UpdateConversationInput): Promise<Conversation>;
  deleteConversation(conversationId: string): Promise<void>;
  restoreConversation(conversationId: string): Promise<void>;
}
