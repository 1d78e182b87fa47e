import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

import branches from './examples/branches.graphql';
import chooseAnAssistant from './examples/choose-an-assistant.graphql';
import followChanges from './examples/follow-changes.graphql';
import listConversations from './examples/list-conversations.graphql';
import organise from './examples/organise.graphql';
import sendAndFollow from './examples/send-and-follow.graphql';
import sendMessage from './examples/send-message.graphql';
import { createFetcher } from './fetcher';
import { headerTemplate, readPage } from './page';
import { createStorage } from './storage';
import './workers';

const headers = headerTemplate(readPage());
const fetcher = createFetcher('graphql');
const storage = createStorage(localStorage, headers);
const variables = (names: string[]) => JSON.stringify(Object.fromEntries(names.map((name) => [name, ''])), null, 2);
const examples = [
  { query: listConversations },
  { query: sendMessage },
  { query: sendAndFollow },
  { query: followChanges },
  { query: branches, variables: variables(['message', 'reply']) },
  { query: organise, variables: variables(['conversation', 'reply']) },
  { query: chooseAnAssistant, variables: variables(['reply']) },
].map((example) => ({ ...example, query: example.query.trimEnd(), headers }));

const container = document.getElementById('graphiql');
if (container === null) throw new Error('the page has no #graphiql');
createRoot(container).render(
  <GraphiQL
    defaultEditorToolsVisibility="headers"
    defaultHeaders={headers}
    defaultTabs={examples}
    fetcher={fetcher}
    initialHeaders={headers}
    inputValueDeprecation
    schemaDescription
    shouldPersistHeaders={false}
    storage={storage}
  >
    <GraphiQL.Logo>causerie</GraphiQL.Logo>
  </GraphiQL>,
);
