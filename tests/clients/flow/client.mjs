// A whole chat client, without a page: what it shows is in `conversations` and `thread`. `iterate` is that of a client of
// graphql-sse or of graphql-ws, which both run queries and mutations too.
import { randomUUID } from 'node:crypto';

const MESSAGE = `id role status content progressCursor siblingIndex siblingCount previousVersionId
  parts { __typename ... on TextPart { text } ... on ReasoningPart { text } ... on ToolCall { id callId name arguments } }`;
const THREAD = `id title messages(last: 50) { nodes { ${MESSAGE} } }`;
const EVENTS = `__typename
  ... on ReplyReasoning { cursor text }
  ... on ReplyText { cursor text }
  ... on ReplyToolCall { cursor toolCall { __typename id callId name arguments } }
  ... on ReplyEnded { cursor reply { ${MESSAGE} } }`;

const REQUESTED = `... on ReplyRequested { cursor conversation { ${THREAD} } reply { id } }`;

export class Chat {
  conversations = [];
  thread = [];

  constructor(iterate) {
    this.iterate = iterate;
  }

  /** The messages as a user reads them. */
  get texts() {
    return this.thread.map(({ parts }) => parts.filter(({ __typename }) => __typename === 'TextPart').map(({ text }) => text).join(''));
  }

  /** Shows the list, and the conversation with this id: one request. */
  async load(id) {
    const { conversations, conversation } = await this.run(
      `query Load($id: ID!, $open: Boolean!) {
        conversations { nodes { id title } }
        conversation(id: $id) @include(if: $open) { ${THREAD} }
      }`,
      { id: id ?? '', open: id !== undefined },
    );
    this.conversations = conversations.nodes;
    if (conversation) this.show(conversation);
  }

  /** Sends a message and shows its reply as it is written: one request. */
  send(content) {
    return this.request('sendMessage', { content, conversationId: this.id });
  }

  edit(messageId, content) {
    return this.request('editMessage', { messageId, content });
  }

  regenerate(messageId) {
    return this.request('regenerateReply', { messageId });
  }

  /** Goes on with the reply that is being written, from exactly what is shown. */
  async *resume() {
    const reply = this.thread.find(({ progressCursor }) => progressCursor !== null);
    const query = `subscription ($id: ID!, $after: String) { replyProgress(messageId: $id, after: $after) { ${EVENTS} } }`;
    const events = this.follow(query, { id: reply.id, after: reply.progressCursor });
    for await (const { replyProgress } of events) yield this.take(reply.id, replyProgress);
  }

  stop(messageId) {
    return this.run('mutation ($id: ID!) { stopReply(input: { messageId: $id }) { reply { id status } } }', { id: messageId });
  }

  /** The arrow beside "2 / 2". */
  async showVersion(messageId) {
    const query = `mutation ($id: ID!) { activateMessage(input: { messageId: $id }) { conversation { ${THREAD} } } }`;
    this.show((await this.run(query, { id: messageId })).activateMessage.conversation);
  }

  /** Another device: everything that there is and that happens, running replies too, in one request. */
  async *mirror() {
    const conversation = 'conversation { id title lastMessage { id } }';
    const query = `subscription { changes(replyText: true) {
      __typename
      ... on ConversationChanged { ${conversation} } ... on ActivePathChanged { ${conversation} }
      ... on MessageChanged { message { parent { id } ${MESSAGE} } } ... on ReplyProgressed { messageId event { ${EVENTS} } }
    } }`;
    for await (const { changes: change } of this.follow(query)) {
      if (change.conversation) this.put(this.conversations, change.conversation);
      if (change.message) this.put(this.thread, change.message);
      if (change.event) this.take(change.messageId, change.event);
      yield change;
    }
  }

  /** The branch that a mirrored conversation shows: its last message, and what comes before it. */
  path(id) {
    const path = [];
    let next = this.conversations.find((conversation) => conversation.id === id)?.lastMessage;
    for (; next; next = path[0]?.parent) path.unshift(this.thread.find((message) => message.id === next.id));
    return path;
  }

  /** Requests a reply under a new key, and follows it. */
  async *request(field, input) {
    const type = `${field[0].toUpperCase()}${field.slice(1)}Input`;
    const query = `subscription ($input: ${type}!) { ${field}(input: $input) { ${REQUESTED} ${EVENTS} } }`;
    let reply;
    for await (const data of this.follow(query, { input: { ...input, idempotencyKey: randomUUID() } })) {
      reply ??= data[field].reply.id;
      yield this.take(reply, data[field]);
    }
  }

  /** Shows what an event of a reply brings. */
  take(id, event) {
    if (event.__typename === 'ReplyRequested') this.show(event.conversation);
    const reply = this.thread.find((message) => message.id === id);
    const kind = { ReplyText: 'TextPart', ReplyReasoning: 'ReasoningPart' }[event.__typename];
    if (['ReplyRequested', 'ReplyRestarted'].includes(event.__typename)) reply.parts = [];
    if (kind && reply.parts.at(-1)?.__typename === kind) reply.parts.at(-1).text += event.text;
    else if (kind) reply.parts.push({ __typename: kind, text: event.text });
    if (event.toolCall) reply.parts.push(event.toolCall);
    if (event.__typename === 'ReplyEnded') {
      // What was streamed is what is stored.
      this.streamed = structuredClone(reply.parts);
      Object.assign(reply, event.reply);
    }
    return event;
  }

  show({ messages, ...conversation }) {
    this.id = conversation.id;
    this.put(this.conversations, conversation);
    this.thread = messages.nodes;
  }

  put(list, item) {
    const known = list.find(({ id }) => id === item.id);
    if (known) Object.assign(known, item);
    else list.push(item);
  }

  async run(query, variables) {
    for await (const data of this.follow(query, variables)) return data;
  }

  async *follow(query, variables) {
    for await (const { data, errors } of this.iterate({ query, variables })) {
      if (errors) throw new Error(errors[0].message);
      yield data;
    }
  }
}
