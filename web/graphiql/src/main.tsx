import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

import listConversations from './examples/list-conversations.graphql';
import sendMessage from './examples/send-message.graphql';
import { createFetcher } from './fetcher';
import { headerTemplate, readPage } from './page';
import { createStorage } from './storage';
import './workers';

const headers = headerTemplate(readPage());
const fetcher = createFetcher('graphql');
const storage = createStorage(localStorage, headers);
const examples = [listConversations, sendMessage].map((text) => ({ query: text.trimEnd(), headers }));

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
