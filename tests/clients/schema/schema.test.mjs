// The tools that people run on a schema: relay-compiler, graphql-eslint and graphql-codegen.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, parse, printSchema, validate } from 'graphql';

const here = dirname(fileURLToPath(import.meta.url));
const sdl = readFileSync(join(here, '../../../schema.graphql'), 'utf8');

let directory;
before(() => {
  // Within this directory, so that the tools find what is installed here.
  directory = mkdtempSync(join(here, '.work-'));
  mkdirSync(join(directory, 'src'));
  writeFileSync(join(directory, 'schema.graphql'), sdl);
});
after(() => rmSync(directory, { recursive: true, force: true }));

function run(tool, ...options) {
  const env = { ...process.env, NODE_OPTIONS: '' };
  try {
    return execFileSync(join(here, 'node_modules/.bin', tool), options, { cwd: directory, encoding: 'utf8', env, stdio: 'pipe' });
  } catch (error) {
    // A linter that finds something ends with 1, and its report is what is wanted.
    if (tool === 'eslint' && error.status === 1) return error.stdout;
    throw new Error(`${tool}: ${error.stdout}\n${error.stderr}`);
  }
}

/** What is so on purpose. */
const exceptions = [
  // A change feed goes on from `since`, a token of its own.
  'relay-arguments: changes(',
  // A hit holds what was found.
  'relay-edge-types: type SearchEdge {',
];

const component = `
import { graphql } from 'relay-runtime';

export const list = graphql\`
  fragment list_viewer on Viewer
  @refetchable(queryName: "listPagination")
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" }) {
    conversations(first: $first, after: $after) @connection(key: "list_conversations") {
      edges { node { id title lastMessage { ...list_message } } }
    }
  }
\`;

export const message = graphql\`
  fragment list_message on Message @refetchable(queryName: "listMessageRefetch") { id role status content }
\`;

export const page = graphql\`
  query listQuery { viewer { id ...list_viewer } }
\`;

export const send = graphql\`
  mutation listSendMutation($input: SendMessageInput!) {
    sendMessage(input: $input) { conversation { id title } message { ...list_message } reply { ...list_message } }
  }
\`;

export const progress = graphql\`
  subscription listProgressSubscription($id: ID!, $after: String) {
    replyProgress(messageId: $id, after: $after) {
      __typename
      ... on ReplyStarted { cursor attempt }
      ... on ReplyReasoning { cursor text }
      ... on ReplyText { cursor text }
      ... on ReplyToolCall { cursor toolCall { id callId name arguments } }
      ... on ReplyRestarted { cursor attempt }
      ... on ReplyEnded { cursor message: reply { ...list_message } }
    }
  }
\`;
`;

test('the schema is valid, and the server tells the same by introspection', async () => {
  const schema = buildSchema(sdl);
  const response = await fetch(`${process.env.CAUSERIE_URL}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query: getIntrospectionQuery({ specifiedByUrl: true, inputValueDeprecation: true }) }),
  });
  const { data } = await response.json();
  const print = (it) => printSchema(lexicographicSortSchema(it));
  assert.equal(print(buildClientSchema(data)), print(schema));
});

test('relay-compiler takes connections, refetching through node, mutations and subscriptions', () => {
  writeFileSync(join(directory, 'src/list.js'), component);
  const config = { src: './src', schema: './schema.graphql', language: 'javascript', eagerEsModules: true };
  writeFileSync(join(directory, 'relay.config.json'), JSON.stringify(config));
  run('relay-compiler', 'relay.config.json');
  const written = readdirSync(join(directory, 'src/__generated__'));
  for (const name of ['listPagination', 'listMessageRefetch', 'listQuery', 'listSendMutation', 'listProgressSubscription']) {
    assert.ok(written.includes(`${name}.graphql.js`), `${name} in ${written}`);
  }
});

test("graphql-eslint's rules of Relay and descriptions", () => {
  const config = `
import graphql from '@graphql-eslint/eslint-plugin';
export default [{
  files: ['schema.graphql'],
  languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: './schema.graphql' } } },
  plugins: { '@graphql-eslint': graphql },
  rules: {
    ...graphql.configs['flat/schema-relay'].rules,
    // A page can be read backwards where that has a use; connections have a short way to their nodes.
    '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
    '@graphql-eslint/relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false }],
    '@graphql-eslint/require-description': ['error', {
      types: true, FieldDefinition: true, InputValueDefinition: true, EnumValueDefinition: true,
      DirectiveDefinition: true, rootField: true,
    }],
    '@graphql-eslint/no-typename-prefix': 'error',
    '@graphql-eslint/no-unreachable-types': 'error',
    '@graphql-eslint/unique-enum-value-names': 'error',
    '@graphql-eslint/no-hashtag-description': 'error',
  },
}];`;
  writeFileSync(join(directory, 'eslint.config.mjs'), config);
  const report = run('eslint', '--no-ignore', '--format', 'json', 'schema.graphql');
  const lines = sdl.split('\n');
  const found = JSON.parse(report)[0].messages
    .map(({ ruleId, line }) => `${ruleId?.split('/')[1]}: ${lines[line - 1].trim()}`)
    // The language's own directives are not ours to describe.
    .filter((problem) => !problem.includes(': directive @'));
  assert.deepEqual(found, exceptions);
});

test('graphql-codegen makes typed documents that TypeScript takes', () => {
  const documents = `
import { graphql } from './generated';
import type { DocumentType } from './generated';

export const query = graphql(\`query Open($id: ID!) {
  conversation(id: $id) { id title messages(last: 50) { nodes { id role status content createdAt } } }
}\`);
export const mutation = graphql(\`mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { reply { id } } }\`);
export function title(found: DocumentType<typeof query>): string | null | undefined {
  return found.conversation?.title;
}
`;
  writeFileSync(join(directory, 'src/app.ts'), documents);
  const config = {
    schema: './schema.graphql',
    documents: ['src/app.ts'],
    generates: { './src/generated/': { preset: 'client', config: { scalars: { DateTime: 'string' }, defaultScalarType: 'unknown', useTypeImports: true } } },
  };
  writeFileSync(join(directory, 'codegen.json'), JSON.stringify(config));
  run('graphql-codegen', '--config', 'codegen.json');
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--moduleResolution', 'bundler', '--module', 'esnext', '--target', 'es2022'];
  run('tsc', ...options, 'src/app.ts');
});

test('the examples of the GraphiQL page fit the schema', () => {
  const examples = join(here, '../../../web/graphiql/src/examples');
  const files = readdirSync(examples);
  assert.ok(files.length >= 6);
  for (const file of files) {
    const document = parse(readFileSync(join(examples, file), 'utf8'));
    assert.deepEqual(validate(buildSchema(sdl), document).map(({ message }) => message), [], file);
  }
});
