// relay-runtime's network, with the texts that relay-compiler would send. The compiler is run in ../schema.
import { test } from 'node:test';
import relay from 'relay-runtime';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { authorization, converse, mutation, query, socketUrl, subscription, url } from './operations.mjs';

const { Network, Observable } = relay;

test('relay-runtime', async (t) => {
  const socket = createClient({ url: socketUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
  t.after(() => socket.dispose());
  const network = Network.create(
    async ({ text }, variables) => {
      const headers = { 'Content-Type': 'application/json', Accept: 'application/graphql-response+json', authorization };
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query: text, variables }) });
      return response.json();
    },
    ({ text }, variables) =>
      Observable.create((sink) => socket.subscribe({ query: text, variables }, { ...sink, error: (error) => sink.error(error) })),
  );
  const execute = (operationKind, text, variables) =>
    network.execute({ operationKind, text, name: operationKind, id: null, cacheID: text, metadata: {} }, variables, {});
  const one = async (kind, text, variables) => (await execute(kind, text, variables).toPromise()).data;
  await converse({
    mutate: (variables) => one('mutation', mutation, variables),
    ask: (variables) => one('query', query, variables),
    follow: (variables) =>
      new Promise((resolve, reject) => {
        const events = [];
        execute('subscription', subscription, variables).subscribe({
          next: ({ data }) => events.push(data),
          error: reject,
          complete: () => resolve(events),
        });
      }),
  });
});
