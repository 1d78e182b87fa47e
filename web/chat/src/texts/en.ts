/** Every text of the page, in English. Another language is an object of the same shape. */
export const en = {
  language: 'English',
  actions: {
    archive: 'Archive', cancel: 'Cancel', close: 'Close', copied: 'Copied', copy: 'Copy', copyCode: 'Copy code',
    delete: 'Delete', discard: 'Discard', edit: 'Edit message', fork: 'Continue in a new chat', keep: 'Save', more: 'More',
    pin: 'Pin', rateDown: 'Bad reply', rateUp: 'Good reply', regenerate: 'Regenerate', rename: 'Rename',
    restore: 'Restore', retry: 'Try again', save: 'Save and send', select: 'Select several', send: 'Send', stop: 'Stop',
    unarchive: 'Unarchive', undo: 'Undo', unpin: 'Unpin',
  },
  chatSettings: {
    title: 'Chat settings', instructions: 'Instructions for this chat', temperature: 'Temperature', topP: 'Top P',
    maxTokens: 'Maximum length, in tokens', reasoningEffort: 'Reasoning effort', usual: 'Default', reset: 'Back to the default',
  },
  composer: { label: 'Message', placeholder: 'Write a message' },
  conversation: {
    empty: 'What would you like to talk about?',
    jumpToEnd: 'Go to the last message', label: 'Messages', loading: 'Loading …',
    loadFailed: 'The conversation could not be loaded.', missing: 'This conversation does not exist.',
    unloaded: 'This is loaded when there is a connection.',
    unread: 'New', untitled: 'New chat',
    waiting: 'Waits for the connection', sending: 'Sending …', notSent: (reason: string) => `Not sent: ${reason}`,
  },
  keys: {
    title: 'Keyboard',
    list: [
      ['Ctrl K', 'Search'], ['Ctrl Shift O', 'New chat'], ['Ctrl Shift S', 'Show or hide the conversations'],
      ['Alt ↑ / Alt ↓', 'Previous or next conversation'], ['Enter', 'Send'], ['Shift Enter', 'New line'],
      ['Esc', 'Stop the reply, or close what is open'], ['?', 'This list'],
    ],
  },
  message: {
    by: { USER: 'You', ASSISTANT: 'Assistant' },
    failed: {
      ASSISTANT_UNAVAILABLE: 'The assistant cannot be reached at the moment.',
      ASSISTANT_TIMEOUT: 'The assistant took too long.',
      ASSISTANT_RATE_LIMITED: 'The assistant takes no more requests at the moment.',
      ASSISTANT_REJECTED: 'The assistant refused the request.',
      CONTEXT_TOO_LONG: 'The conversation has become too long for the assistant.',
      CONTENT_FILTERED: 'The reply was removed by a content filter.',
      TRUNCATED: 'The reply broke off.',
      EMPTY: 'The assistant wrote nothing.',
      TOOLS_UNSUPPORTED: 'The assistant asked for a tool that is not there.',
      INTERRUPTED: 'The server that wrote the reply stopped.',
    } as Record<string, string>,
    image: 'image', length: 'The reply reached its limit.', queued: 'Waits for its turn', stopped: 'Stopped',
    thinking: 'Thinking …', thought: (seconds: number) => (seconds < 1 ? 'Thought' : `Thought for ${seconds} s`),
    estimated: 'Estimated, as the assistant did not report it',
    tokens: (input: number, output: number) => `${input} + ${output} tokens`, tool: (name: string) => `Called ${name}`,
    version: (number: number, count: number) => `Version ${number} of ${count}`,
    previousVersion: 'Previous version', nextVersion: 'Next version', writing: 'The assistant is writing',
    finished: 'The reply is finished',
  },
  notices: {
    archived: (count: number) => (count === 1 ? 'Archived' : `${count} archived`),
    deleted: (count: number) => (count === 1 ? 'Moved to the trash' : `${count} moved to the trash`),
    failed: (reason: string) => `That did not work: ${reason}`,
    offline: 'No connection. What you send goes out when it is back.',
    unreachable: 'the server cannot be reached.',
  },
  settings: {
    title: 'Settings', theme: 'Appearance', themes: { system: 'System', light: 'Light', dark: 'Dark' },
    language: 'Language', user: 'User', instructions: 'Instructions for all chats', saved: 'Saved', graphiql: 'GraphiQL', signOut: 'Sign out',
  },
  sidebar: {
    archive: 'Archive', chats: 'Chats', close: 'Hide the conversations', conversations: 'Conversations',
    emptyArchive: 'Nothing is archived.', emptyChats: 'Your conversations will be here.', emptyTrash: 'The trash is empty.',
    newChat: 'New chat', noHits: 'Nothing was found.', open: 'Show the conversations', search: 'Search',
    selected: (count: number) => `${count} selected`, trash: 'Trash', unread: 'unread', title: 'Title',
    groups: { pinned: 'Pinned', today: 'Today', yesterday: 'Yesterday', week: 'Last 7 days', month: 'Last 30 days' },
  },
  usage: {
    title: 'Usage', periods: { DAY: 'today', MONTH: 'this month' }, kinds: { REPLIES: 'Replies', TOKENS: 'Tokens', COST: 'Cost' },
    measures: {
      REPLIES: (count: number, shown: string) => (count === 1 ? '1 reply' : `${shown} replies`),
      TOKENS: (count: number, shown: string) => (count === 1 ? '1 token' : `${shown} tokens`),
    },
    left: (left: string, all: string, period: string) => `${left} of ${all} left ${period}`,
    none: (all: string, period: string, time: string) => `You have reached your limit of ${all} ${period}. Next reset: ${time}.`,
    used: (used: string, all: string) => `${used} of ${all}`,
    reset: (time: string) => `Next reset: ${time}`,
  },
  signIn: {
    title: 'Sign in', explain: 'This page needs a token of your identity provider. It stays in the memory of this page.',
    token: 'Token', submit: 'Sign in', refused: 'The server does not accept this token.',
    unreachable: 'The server cannot be reached at the moment.',
  },
};

export type Texts = typeof en;
