import { ASSISTANTS, completer, CONVERSATIONS, document, FEED, HITS, MESSAGES, QUOTAS, SETTINGS, USAGE } from './documents.js';
import { CauserieError, isRetryable } from './error.js';
import type { Client, ClientOptions, ReplyStream, RequestOptions } from './interface.js';
import { advance } from './reply.js';
import { backoff, delay, resumed } from './resume.js';
import { createTransport } from './transport.js';
import type { Assistant, ChangeEvent, Conversation, Message, Page, Quota, ReplyEvent, SearchHit, Settings, UsageDay } from './types.js';

const PAGING = 'first: Int, after: String, last: Int, before: String';

type Keyed = { readonly idempotencyKey?: string | undefined };

/** A random key for a request. */
export function newKey(): string {
  const { crypto } = globalThis;
  // Pages without TLS have no `randomUUID`.
  return crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A client of one server, for one user. */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  const complete = completer(options.fields);

  function query<Data>(document: string, variables = {}, { signal, timeout = 60_000 }: RequestOptions = {}): Promise<Data> {
    return transport.run({ query: complete(document), variables }, signal, timeout) as Promise<Data>;
  }

  function subscribe<Data>(document: string, variables = {}, { signal }: RequestOptions = {}, onOpen?: () => void) {
    const stream = transport.stream({ query: complete(document), variables }, signal, onOpen);
    return stream as AsyncGenerator<Data, void, undefined>;
  }

  async function mutate<Payload>(name: string, input: object, selection: string, options: RequestOptions = {}) {
    const text = document('mutation', name, `input: ${inputOf(name)}!`, selection);
    const keyed: Record<string, unknown> = { idempotencyKey: newKey(), ...defined(input) };
    // The end of a reply may take its time.
    const isAwaiting = /^(sendM|editM|reg|retry)/.test(name) && keyed['awaitReply'] !== false;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const data = await query<Record<string, Payload>>(text, { input: keyed }, { ...(isAwaiting && { timeout: 0 }), ...options });
        return data[name]!;
      } catch (error) {
        if (attempt === 2 || !isRetryable(error)) throw error;
        await delay(backoff(attempt, error), options.signal);
      }
    }
  }

  /** Follows a reply over the field `name` of the subscriptions, to its end. */
  async function* steps(
    name: string,
    parameters: string,
    variables: Record<string, unknown>,
    reply: Message | undefined,
    signal: AbortSignal | undefined,
  ): ReplyStream {
    const text = document('subscription', name, `${parameters}, after: String`, '...ReplyEventFields');
    const events = resumed(
      async function* (after) {
        for await (const data of subscribe<Record<string, ReplyEvent>>(text, { ...variables, after }, { signal })) {
          const event = data[name];
          // Kinds that this version does not know have no cursor here.
          if (event?.cursor) yield event;
          if (event?.__typename === 'ReplyEnded') return;
        }
      },
      reply?.progressCursor ?? undefined,
      signal,
    );
    for await (const event of events) {
      reply = advance(reply as Message, event);
      yield { reply, event, cursor: event.cursor };
    }
  }

  function request(name: string) {
    return (input: Keyed, { signal }: RequestOptions = {}): ReplyStream => {
      const keyed = { idempotencyKey: newKey(), ...defined(input) };
      return steps(name, `input: ${inputOf(name)}!`, { input: keyed }, undefined, signal);
    };
  }

  /** Reads one field. */
  async function read<Data>(field: string, parameters: string, selection: string, values: object, of?: RequestOptions) {
    return (await query<Record<string, Data>>(document('query', field, parameters, selection), defined(values), of))[field]!;
  }

  const message = (id: string, of?: RequestOptions) => read<Message | null>('message', 'id: ID!', '...MessageFields', { id }, of);

  async function conversationAfter(name: string, input: object): Promise<Conversation> {
    const payload = await mutate<{ conversation: Conversation }>(name, input, 'conversation { ...ConversationFields }');
    return payload.conversation;
  }

  async function replyAfter(name: string, input: object): Promise<Message> {
    return (await mutate<{ reply: Message }>(name, input, 'reply { ...MessageFields }')).reply;
  }

  /** Reads fields of the signed-in user. */
  async function viewer<Fields>(selection: string, of?: RequestOptions, parameters = '', values = {}): Promise<Fields> {
    return (await query<{ viewer: Fields }>(`query ${parameters} { viewer { ${selection} } }`, defined(values), of)).viewer;
  }

  return {
    query,
    subscribe: (document, variables, of) => subscribe(document, variables, of),
    mutate,
    send: request('sendMessage'),
    edit: request('editMessage'),
    regenerate: request('regenerateReply'),
    retry: request('retryReply'),

    async *follow(of, { signal } = {}) {
      const reply = typeof of === 'string' ? await message(of, { signal }) : of;
      if (!reply) throw new CauserieError('There is no such reply.', 'NOT_FOUND');
      yield { reply, event: undefined, cursor: reply.progressCursor };
      if (reply.progressCursor === null) return;
      yield* steps('replyProgress', 'messageId: ID!', { messageId: reply.id }, reply, signal);
    },

    stop: (messageId) => replyAfter('stopReply', { messageId }),

    viewer: (of) => viewer('id changeCursor', of),
    conversation: (id, of) => read<Conversation | null>('conversation', 'id: ID!', '...ConversationFields', { id }, of),
    conversations: (list = {}, of) =>
      read<Page<Conversation>>('conversations', `filter: ConversationFilter, orderBy: ConversationOrder, ${PAGING}`, CONVERSATIONS, list, of),
    message,
    messages: (list, of) => read<Page<Message>>('messages', `conversationId: ID!, leafId: ID, ${PAGING}`, MESSAGES, list, of),
    async versions(id, of) {
      const selection = 'siblings(last: 100) { nodes { ...MessageFields } }';
      const found = await read<{ siblings: { nodes: Message[] } } | null>('message', 'id: ID!', selection, { id }, of);
      return found?.siblings.nodes ?? [];
    },
    search: (text, list = {}, of) =>
      read<Page<SearchHit>>('search', 'query: String!, first: Int, after: String, filter: SearchFilter', HITS, { query: text, ...list }, of),

    createConversation: (input = {}) => conversationAfter('createConversation', input),
    updateConversation: (input) => conversationAfter('updateConversation', input),
    async deleteConversation(conversationId) {
      await mutate('deleteConversation', { conversationId }, 'deletedConversationId');
    },
    restoreConversation: (conversationId) => conversationAfter('restoreConversation', { conversationId }),
    fork: (messageId) => conversationAfter('forkConversation', { messageId }),
    activate: (messageId) => conversationAfter('activateMessage', { messageId }),
    deleteMessage: (messageId) => conversationAfter('deleteMessage', { messageId }),
    markRead: (conversationId, upToMessageId) => conversationAfter('markRead', { conversationId, upToMessageId }),
    assistants: async (of) => (await query<{ assistants: readonly Assistant[] }>(ASSISTANTS, {}, of)).assistants,
    settings: (conversationId, of) =>
      conversationId === undefined
        ? viewer<Settings>('assistantId instructions', of)
        : read<Settings | null>('conversation', 'id: ID!', SETTINGS, { id: conversationId }, of),
    async configureViewer(input) {
      await mutate('configureViewer', input, 'viewer { id }');
    },
    quotas: async (of) => (await viewer<{ quotas: readonly Quota[] }>(QUOTAS, of)).quotas,
    usage: async (since, until, of) =>
      (await viewer<{ usage: readonly UsageDay[] }>(USAGE, of, '($since: Date!, $until: Date)', { since, until })).usage,
    rate: (messageId, rating, comment) => replyAfter('rateReply', { messageId, rating, comment }),

    changes(since, { signal, onConnection } = {}) {
      return resumed(
        async function* (after, onOpen) {
          for await (const { changes } of subscribe<{ changes: ChangeEvent }>(FEED, { since: after }, { signal }, onOpen)) {
            if (changes?.cursor) yield changes;
          }
          // The feed has no end of its own.
          throw new CauserieError('The feed has ended.', 'NETWORK');
        },
        since,
        signal,
        onConnection,
      );
    },
  };
}

function inputOf(field: string): string {
  return `${field[0]!.toUpperCase()}${field.slice(1)}Input`;
}

/** The values that are given: one that is `undefined` must not replace a default. */
function defined(values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
