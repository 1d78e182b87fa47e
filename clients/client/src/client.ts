import { ASSISTANTS, completer, CONVERSATIONS, document, FEED, HITS, MESSAGES, QUOTAS, rowsOf, SETTINGS, USAGE } from './documents.js';
import { CauserieError } from './error.js';
import type { Client, ClientOptions, ReplyStream, RequestOptions } from './interface.js';
import { advance } from './reply.js';
import { repeated, resumed } from './resume.js';
import { createTransport } from './transport.js';
import type { Assistant, ChangeEvent, Conversation, Message, Page, Quota, ReplyEvent, SearchHit, Settings, UsageDay } from './types.js';

const PAGING = 'first:Int,after:String,last:Int,before:String';

type Keyed = { readonly idempotencyKey?: string | undefined };

/** The input with a random key, unless it has one. */
export function keyed<Input extends object>(input: Input & Keyed): Input & { readonly idempotencyKey: string } {
  // Pages without TLS have no `randomUUID`.
  return { ...input, idempotencyKey: input.idempotencyKey ?? crypto.getRandomValues(new Uint32Array(4)).join('-') };
}

/** A client of one server, for one user. */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  const complete = completer(options.fields);

  function query<Data>(document: string, variables = {}, { signal, timeout = 60_000 }: RequestOptions = {}): Promise<Data> {
    return transport.run({ query: complete(document), variables }, signal, timeout) as Promise<Data>;
  }

  function subscribe<Data>(document: string, variables = {}, { signal }: RequestOptions = {}, onOpen?: () => void) {
    return transport.stream({ query: complete(document), variables }, signal, onOpen) as AsyncGenerator<Data, void, undefined>;
  }

  async function mutate<Payload>(name: string, input: object, selection: string, options: RequestOptions = {}) {
    const text = document('mutation', name, `input:${inputOf(name)}!`, selection);
    const variables = { input: keyed(input) };
    // The end of a reply may take its time.
    const isAwaiting = /^(send|edit|regenerate|retry)/.test(name) && (input as { readonly awaitReply?: boolean }).awaitReply !== false;
    const given = { ...(isAwaiting && { timeout: 0 }), ...options };
    return (await repeated(() => query<Record<string, Payload>>(text, variables, given), options.signal))[name]!;
  }

  /** Follows a reply over the field `name` of the subscriptions, to its end. */
  async function* steps(name: string, parameters: string, variables: object, signal: AbortSignal | undefined, reply?: Message): ReplyStream {
    const text = document('subscription', name, `${parameters},after:String`, '...ReplyEventFields');
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
      return steps(name, `input:${inputOf(name)}!`, { input: keyed(input) }, signal);
    };
  }

  /** Reads one field. */
  async function read<Data>(field: string, parameters: string, selection: string, values: object, of?: RequestOptions) {
    return (await query<Record<string, Data>>(document('query', field, parameters, selection), values, of))[field]!;
  }

  const message = (id: string, of?: RequestOptions) => read<Message | null>('message', 'id:ID!', '...MessageFields', { id }, of);

  /** Runs a mutation, and returns one row of what it answers. */
  async function after<Row = Conversation>(name: string, input: object, field = 'conversation'): Promise<Row> {
    return (await mutate<Record<string, Row>>(name, input, rowsOf(field)))[field]!;
  }

  /** Reads fields of the signed-in user. */
  const viewer = <Fields>(selection: string, of?: RequestOptions) => read<Fields>('viewer', '', selection, {}, of);

  return {
    query,
    subscribe,
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
      yield* steps('replyProgress', 'messageId:ID!', { messageId: reply.id }, signal, reply);
    },

    stop: (messageId) => after('stopReply', { messageId }, 'reply'),

    viewer: (of) => viewer('id changeCursor', of),
    conversation: (id, of) => read<Conversation | null>('conversation', 'id:ID!', '...ConversationFields', { id }, of),
    conversations: (list = {}, of) =>
      read<Page<Conversation>>('conversations', `filter:ConversationFilter,orderBy:ConversationOrder,${PAGING}`, CONVERSATIONS, list, of),
    message,
    messages: (list, of) => read<Page<Message>>('messages', `conversationId:ID!,leafId:ID,${PAGING}`, MESSAGES, list, of),
    async versions(id, of) {
      const selection = 'siblings(last:100){nodes{...MessageFields}}';
      const found = await read<{ siblings: { nodes: Message[] } } | null>('message', 'id:ID!', selection, { id }, of);
      return found?.siblings.nodes ?? [];
    },
    search: (text, list = {}, of) =>
      read<Page<SearchHit>>('search', 'query:String!,first:Int,after:String,filter:SearchFilter', HITS, { query: text, ...list }, of),

    createConversation: (input = {}) => after('createConversation', input),
    updateConversation: (input) => after('updateConversation', input),
    async deleteConversation(conversationId) {
      await mutate('deleteConversation', { conversationId }, 'deletedConversationId');
    },
    restoreConversation: (conversationId) => after('restoreConversation', { conversationId }),
    fork: (messageId) => after('forkConversation', { messageId }),
    activate: (messageId) => after('activateMessage', { messageId }),
    deleteMessage: (messageId) => after('deleteMessage', { messageId }),
    markRead: (conversationId, upToMessageId) => after('markRead', { conversationId, upToMessageId }),
    assistants: (of) => read<readonly Assistant[]>('assistants', '', ASSISTANTS, {}, of),
    settings: (conversationId, of) =>
      conversationId === undefined
        ? viewer<Settings>('assistantId instructions', of)
        : read<Settings | null>('conversation', 'id:ID!', SETTINGS, { id: conversationId }, of),
    async configureViewer(input) {
      await mutate('configureViewer', input, 'viewer{id}');
    },
    quotas: async (of) => (await viewer<{ quotas: readonly Quota[] }>(QUOTAS, of)).quotas,
    async usage(since, until, of) {
      type Found = { viewer: { usage: readonly UsageDay[] } };
      return (await query<Found>(`query($since:Date!,$until:Date){viewer{${USAGE}}}`, { since, until }, of)).viewer.usage;
    },
    rate: (messageId, rating, comment) => after('rateReply', { messageId, rating, comment }, 'reply'),

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
