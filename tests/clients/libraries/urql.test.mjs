// urql, with its subscriptions over fetch (event streams) and over WebSockets.
import { test } from 'node:test';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { authorization, converse, mutation, query, socketUrl, subscription, url } from './operations.mjs';

const data = ({ data: found, error }) => {
  if (error) throw error;
  return found;
};

const functions = (client) => ({
  mutate: async (variables) => data(await client.mutation(mutation, variables).toPromise()),
  ask: async (variables) => data(await client.query(query, variables).toPromise()),
  follow: (variables) =>
    new Promise((resolve, reject) => {
      const events = [];
      client.subscription(subscription, variables).subscribe((result) => {
        if (result.error) return reject(result.error);
        // urql repeats the last result when it is complete.
        const event = result.data.replyProgress;
        if (event !== events.at(-1)?.replyProgress) events.push(result.data);
        if (event.__typename === 'ReplyEnded') resolve(events);
      });
    }),
});

const options = { url, fetchOptions: { headers: { authorization } }, requestPolicy: 'network-only', preferGetMethod: false };

test('urql, subscriptions over fetch', () =>
  converse(functions(new Client({ ...options, exchanges: [fetchExchange], fetchSubscriptions: true }))));

test('urql, subscriptions over WebSockets', async (t) => {
  const socket = createClient({ url: socketUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
  t.after(() => socket.dispose());
  const forwardSubscription = ({ query: text, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: text, variables }, sink) }),
  });
  const exchanges = [fetchExchange, subscriptionExchange({ forwardSubscription })];
  await converse(functions(new Client({ ...options, exchanges })));
});
