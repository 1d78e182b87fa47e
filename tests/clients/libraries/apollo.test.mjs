// Apollo Client, with subscriptions over WebSockets or as parts over HTTP, and with automatic persisted queries.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client/core/index.js';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions/index.js';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries/index.js';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { authorization, converse, mutation, query, socketUrl, subscription, url } from './operations.mjs';

function connect(t, first) {
  const socket = createClient({ url: socketUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
  t.after(() => socket.dispose());
  const http = new HttpLink({ uri: url, headers: { authorization } });
  const link = ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    first ? ApolloLink.from([first, http]) : http,
  );
  return new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions: { query: { fetchPolicy: 'no-cache' } } });
}

const functions = (client) => ({
  mutate: async (variables) => (await client.mutate({ mutation: gql(mutation), variables })).data,
  ask: async (variables) => (await client.query({ query: gql(query), variables })).data,
  follow: (variables) =>
    new Promise((resolve, reject) => {
      const events = [];
      client.subscribe({ query: gql(subscription), variables, fetchPolicy: 'no-cache' }).subscribe({
        next: ({ data, error }) => (error ? reject(error) : events.push(data)),
        error: reject,
        complete: () => resolve(events),
      });
    }),
});

test('Apollo Client', (t) => converse(functions(connect(t))));

/** A client with nothing but Apollo's `HttpLink`, and what it has received. */
function connectByHttp() {
  const received = [];
  const link = new HttpLink({
    uri: url,
    headers: { authorization },
    fetch: async (...request) => {
      const response = await fetch(...request);
      received.push(response.headers.get('content-type'));
      return response;
    },
  });
  return { received, client: new ApolloClient({ link, cache: new InMemoryCache() }) };
}

test('Apollo Client with nothing but its HttpLink', async () => {
  const { client, received } = connectByHttp();
  await converse(functions(client));
  assert.match(received.at(-1), /^multipart\/mixed/);
});

test('errors of a subscription over HTTP are told as Apollo Client knows them', async () => {
  const { client, received } = connectByHttp();
  const subscribe = (query) =>
    new Promise((resolve, reject) => {
      client.subscribe({ query: gql(query) }).subscribe({ next: resolve, error: reject, complete: () => reject(new Error('no event')) });
    });
  const failed = await subscribe('subscription { changes(since: "x") { __typename } }');
  assert.equal(failed.error.errors[0].extensions.code, 'BAD_USER_INPUT');
  const refused = await subscribe('subscription { nonsense }');
  assert.equal(refused.error.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  for (const type of received) assert.match(type, /^multipart\/mixed/);
});

test('Apollo Client with automatic persisted queries', async (t) => {
  const sha256 = (text) => createHash('sha256').update(text).digest('hex');
  const client = connect(t, new PersistedQueryLink({ sha256 }));
  const once = { query: gql(`query Once${Date.now()} { viewer { id } }`) };
  for (let i = 0; i < 2; i += 1) assert.equal((await client.query(once)).data.viewer.id, 'dev');
});

test('errors are told as Apollo Client knows them', async (t) => {
  const client = connect(t);
  const failed = await client.query({ query: gql('{ conversations(first: 101) { totalCount } }') }).catch((error) => error);
  assert.equal(failed.errors[0].extensions.code, 'BAD_USER_INPUT');
  const refused = await client.query({ query: gql('{ nonsense }') }).catch((error) => error);
  assert.equal(refused.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
});
