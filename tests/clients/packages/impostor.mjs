// A server that answers as it is told, for what no good one does.
import { once } from 'node:events';
import { createServer } from 'node:http';

export async function startImpostor() {
  const requests = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    requests.push({ at: performance.now(), authorization: request.headers.authorization });
    await impostor.answer(response, JSON.parse(body), requests.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const impostor = {
    url: `http://127.0.0.1:${server.address().port}/graphql`,
    requests,
    /** Writes one answer. */
    answer: (response) => response.end(),
    /** Answers each request so. */
    says(status, type, body, headers = {}) {
      impostor.answer = (response) => response.writeHead(status, { 'content-type': type, ...headers }).end(body);
    },
    /** Begins an event stream. */
    stream: (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return impostor;
}

export const eventOf = (data) => `event: next\ndata: ${JSON.stringify(data)}\n\n`;
