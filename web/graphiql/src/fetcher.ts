import type { Fetcher } from '@graphiql/toolkit';
import { type ExecutionResult, Kind, type OperationDefinitionNode, parse } from 'graphql';
import { createClient, NetworkError } from 'graphql-sse';

type Headers = Record<string, string>;

/** A request as GraphQL over HTTP carries it. */
interface Request {
  query: string;
  operationName?: string;
  variables?: Record<string, unknown>;
}

/**
 * Runs queries and mutations as POST requests and subscriptions as server-sent events, both with the headers
 * of the editor as they are at that moment. A WebSocket would fix its headers when it is opened.
 */
export function createFetcher(url: string): Fetcher {
  return ({ query, operationName, variables }, options) => {
    const headers = sentHeaders(options?.headers);
    // GraphiQL looks at an edited document only after a pause: until then its operation name is the one before.
    const operations = operationsOf(query);
    const named = operations.find(({ name }) => name?.value === operationName);
    const operation = operations.length === 1 ? operations[0] : named;
    const name = operation ? operation.name?.value : operationName;
    const request: Request = { query };
    if (name) request.operationName = name;
    if (variables) request.variables = variables;
    return operation?.operation === 'subscription' ? subscribe(url, request, headers) : post(url, request, headers);
  };
}

/** The operations of a document; none if it cannot be parsed, which is for the server to explain. */
function operationsOf(query: string): OperationDefinitionNode[] {
  try {
    return parse(query).definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  } catch {
    return [];
  }
}

/** The headers without an `Authorization` that holds no token: the untouched template is no attempt to sign in. */
function sentHeaders(typed: unknown): Headers {
  const entries = Object.entries((typed ?? {}) as Headers);
  return Object.fromEntries(
    entries.filter(([name, value]) => name.toLowerCase() !== 'authorization' || !/^\s*(bearer)?\s*$/i.test(value)),
  );
}

async function post(url: string, request: Request, headers: Headers): Promise<ExecutionResult> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      Accept: 'application/graphql-response+json, application/json;q=0.9',
      'Content-Type': 'application/json',
      ...headers,
    },
    body: JSON.stringify(request),
  });
  return result(response);
}

/** The body if it is GraphQL's, whatever the status; else an error that names the status. */
async function result(response: Response): Promise<ExecutionResult> {
  if (/\bjson\b/.test(response.headers.get('Content-Type') ?? '')) return response.json();
  throw new Error(`The server answered ${response.status} ${response.statusText} without JSON.`);
}

async function* subscribe(url: string, request: Request, headers: Headers): AsyncGenerator<ExecutionResult> {
  const client = createClient({ url, headers, retryAttempts: 0 });
  try {
    yield* client.iterate(request) as AsyncGenerator<ExecutionResult>;
  } catch (error) {
    const response = error instanceof NetworkError ? (error.response as Response | undefined) : undefined;
    if (response === undefined || response.bodyUsed) throw error;
    yield await result(response);
  } finally {
    client.dispose();
  }
}
