// graphql-request, which leaves subscriptions to graphql-sse.
import { test } from 'node:test';
import { GraphQLClient } from 'graphql-request';
import { createClient } from 'graphql-sse';
import { authorization, converse, mutation, query, subscription, url } from './operations.mjs';

for (const method of ['POST', 'GET']) {
  test(`graphql-request, queries by ${method}`, async () => {
    const headers = { authorization };
    const client = new GraphQLClient(url, { headers });
    const reader = new GraphQLClient(url, { headers, method, jsonSerializer: JSON });
    const events = createClient({ url, headers, retryAttempts: 0 });
    await converse({
      mutate: (variables) => client.request(mutation, variables),
      ask: (variables) => reader.request(query, variables),
      follow: async (variables) => {
        const all = [];
        for await (const { data } of events.iterate({ query: subscription, variables })) all.push(data);
        return all;
      },
    });
    events.dispose();
  });
}
