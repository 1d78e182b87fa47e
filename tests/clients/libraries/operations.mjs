// What every library is asked to do, and how it is known to have been done.
import assert from 'node:assert/strict';

export const { CAUSERIE_URL: server, CAUSERIE_TOKEN: token } = process.env;
export const url = `${server}/graphql`;
export const socketUrl = url.replace('http', 'ws');
export const authorization = `Bearer ${token}`;

export const query = 'query Open($id: ID!) { conversation(id: $id) { id title messages(first: 10) { nodes { id content } } } }';
export const mutation = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) { conversation { id } message { id content } reply { id } }
}`;
export const subscription = `subscription Progress($id: ID!) {
  replyProgress(messageId: $id) {
    __typename
    ... on ReplyStarted { cursor attempt }
    ... on ReplyReasoning { cursor text }
    ... on ReplyText { cursor text }
    ... on ReplyEnded { cursor message: reply { id status content } }
  }
}`;

/** Runs a mutation, a query and a subscription to its end with a library's own functions. */
export async function converse({ mutate, ask, follow }) {
  const content = `Hello from a library, ${Math.random()}`;
  const { sendMessage } = await mutate({ input: { content, awaitReply: false } });
  assert.equal(sendMessage.message.content, content);

  const { conversation } = await ask({ id: sendMessage.conversation.id });
  assert.equal(conversation.messages.nodes[0].content, content);
  assert.equal(conversation.messages.nodes[1].id, sendMessage.reply.id);

  const events = (await follow({ id: sendMessage.reply.id })).map((data) => data.replyProgress);
  const end = events.at(-1);
  assert.equal(end.__typename, 'ReplyEnded');
  assert.equal(end.message.status, 'COMPLETE');
  assert.equal(events.map((event) => event.text ?? '').join(''), end.message.content);
}
