// A provider that knows its answers, for pictures of the page: an API as OpenAI's, with one model.
import { once } from 'node:events';
import { createServer } from 'node:http';

/** Answers the questions that it knows with `{ reasoning, text, pause }`, word by word, and refuses any other. */
export async function startProvider(answers) {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { messages } = JSON.parse(body);
    const answer = answers[messages.at(-1).content];
    if (!answer) return response.writeHead(503, { 'content-type': 'application/json' }).end('{"error":{"message":"busy"}}');
    const { reasoning = '', text, pause = 0 } = answer;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const say = (delta, more = {}) => {
      const chunk = { object: 'chat.completion.chunk', model: 'model-1', choices: [{ index: 0, delta, finish_reason: null, ...more }] };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    };
    for (const [field, words] of [['reasoning_content', reasoning], ['content', text]]) {
      for (const word of words.match(/\s*\S+/g) ?? []) {
        say({ [field]: word });
        if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    say({}, { finish_reason: 'stop' });
    const usage = { prompt_tokens: body.length >> 2, completion_tokens: text.length >> 2, total_tokens: (body.length + text.length) >> 2 };
    response.end(`data: ${JSON.stringify({ object: 'chat.completion.chunk', model: 'model-1', choices: [], usage })}\n\ndata: [DONE]\n\n`);
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}/v1`, close: () => server.close() };
}
