// The types of @causerie/client are those of the schema.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, '../../../clients/client/src');

let directory;
before(() => {
  // Within this directory, so that the tools find what is installed here.
  directory = mkdtempSync(join(here, '.work-'));
});
after(() => rmSync(directory, { recursive: true, force: true }));

function run(tool, ...options) {
  try {
    execFileSync(join(here, 'node_modules/.bin', tool), options, { cwd: directory, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' }, stdio: 'pipe' });
  } catch (error) {
    throw new Error(`${tool}: ${error.stdout}\n${error.stderr}`);
  }
}

/** Every row that the server sends is one of ours; everything that we ask for, the server takes. */
const checks = `
import type * as schema from './generated';
import type * as rows from './rows';
import type * as ours from '${source}/types.js';

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
const same = <_ extends true>() => {};
same<Same<schema.ConversationState, ours.ConversationState>>();
same<Same<schema.ConversationOrder, ours.ConversationOrder>>();
same<Same<schema.Role, ours.Role>>();
same<Same<schema.MessageStatus, ours.MessageStatus>>();
same<Same<schema.OnBusy, ours.OnBusy>>();
same<Same<schema.Rating, ours.Rating>>();

export const conversation = (row: rows.ConversationFieldsFragment): ours.Conversation => row;
export const message = (row: rows.MessageFieldsFragment): Omit<ours.Message, 'content'> => row;
export const names: Record<ours.ReplyEvent['__typename'], 1> = {} as Record<NonNullable<schema.ReplyEvent['__typename']>, 1>;
export const kinds: Record<NonNullable<schema.ReplyEvent['__typename']>, 1> = {} as Record<ours.ReplyEvent['__typename'], 1>;
export const changes: Record<NonNullable<schema.ChangeEvent['__typename']>, 1> = {} as Record<ours.ChangeEvent['__typename'], 1>;
export const parts: Record<NonNullable<schema.MessagePart['__typename']>, 1> = {} as Record<ours.MessagePart['__typename'], 1>;
export const own = (row: rows.OwnQuery): {
  readonly assistants: readonly ours.Assistant[];
  readonly viewer: { readonly quotas: readonly ours.Quota[]; readonly usage: readonly ours.UsageDay[] };
  readonly conversation?: ours.Settings | null;
} => row;
export const configure = (input: ours.ConfigureViewerInput): schema.ConfigureViewerInput => input;
export const create = (input: ours.CreateConversationInput): schema.CreateConversationInput => input;
export const send = (input: ours.SendMessageInput): schema.SendMessageInput => input;
export const edit = (input: ours.EditMessageInput): schema.EditMessageInput => input;
export const regenerate = (input: ours.RegenerateReplyInput): schema.RegenerateReplyInput => input;
export const retry = (input: ours.RetryReplyInput): schema.RetryReplyInput => input;
export const update = (input: ours.UpdateConversationInput): schema.UpdateConversationInput => input;
export const list = (filter: Omit<ours.ConversationFilter, 'states'>): Omit<schema.ConversationFilter, 'states'> => filter;
export const search = (filter: ours.SearchFilter): schema.SearchFilter => filter;
`;

test('the types of @causerie/client fit the schema, and its fragments select what they promise', () => {
  writeFileSync(join(directory, 'schema.graphql'), readFileSync(join(here, '../../../schema.graphql')));
  // The fragments, as the source has them.
  writeFileSync(join(directory, 'print.ts'), `
    import { ASSISTANTS, completer, QUOTAS, SETTINGS, USAGE } from '${source}/documents.js';
    declare const process: { stdout: { write(text: string): void } };
    process.stdout.write('query Own ($since: Date!, $until: Date) { assistants { ' + ASSISTANTS
      + ' } viewer { ' + QUOTAS + USAGE + ' } conversation(id: "") { ' + SETTINGS + ' } } ');
    process.stdout.write(completer()('query Types { message(id: "") { ...MessageFields conversation { ...ConversationFields } } }'));
  `);
  const options = ['--skipLibCheck', '--strict', '--moduleResolution', 'bundler', '--module', 'esnext', '--target', 'es2022'];
  run('tsc', ...options, '--lib', 'es2022,dom', '--outDir', 'built', '--rootDir', '/', 'print.ts');
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  const printed = join(directory, 'built', directory, 'print.js');
  const text = readFileSync(printed, 'utf8').replace(/from '.*documents\.js'/, `from '${join(directory, 'built', source, 'documents.js')}'`);
  writeFileSync(printed, text);
  writeFileSync(join(directory, 'document.graphql'), execFileSync(process.execPath, [printed], { encoding: 'utf8' }));
  const settings = {
    scalars: { DateTime: 'string', Date: 'string', Decimal: 'string', BigInt: 'number', JSON: '{ readonly [key: string]: any }', ID: 'string' },
    enumsAsTypes: true, immutableTypes: true, inlineFragmentTypes: 'combine',
  };
  const config = {
    schema: './schema.graphql',
    documents: ['document.graphql'],
    generates: {
      './generated.ts': { plugins: ['typescript'], config: settings },
      './rows.ts': { plugins: ['typescript-operations'], config: settings },
    },
  };
  writeFileSync(join(directory, 'codegen.json'), JSON.stringify(config));
  run('graphql-codegen', '--config', 'codegen.json');
  writeFileSync(join(directory, 'checks.ts'), checks);
  run('tsc', '--noEmit', ...options, '--lib', 'es2022,dom', 'checks.ts');
});
