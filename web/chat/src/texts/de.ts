import type { Texts } from './en';

export const de: Texts = {
  language: 'Deutsch',
  actions: {
    archive: 'Archivieren', cancel: 'Abbrechen', close: 'Schließen', copied: 'Kopiert', copy: 'Kopieren',
    copyCode: 'Code kopieren', delete: 'Löschen', discard: 'Verwerfen', edit: 'Nachricht bearbeiten',
    fork: 'In neuem Chat fortfahren', more: 'Mehr', pin: 'Anheften', rateDown: 'Schlechte Antwort',
    rateUp: 'Gute Antwort', regenerate: 'Neu schreiben', rename: 'Umbenennen', restore: 'Wiederherstellen',
    retry: 'Noch einmal', save: 'Speichern und senden', select: 'Mehrere auswählen', send: 'Senden', stop: 'Anhalten',
    unarchive: 'Aus dem Archiv holen', undo: 'Rückgängig', unpin: 'Lösen',
  },
  composer: { label: 'Nachricht', placeholder: 'Nachricht schreiben' },
  conversation: {
    empty: 'Worüber möchten Sie sprechen?',
    jumpToEnd: 'Zur letzten Nachricht', label: 'Nachrichten', loading: 'Wird geladen …',
    loadFailed: 'Die Unterhaltung konnte nicht geladen werden.', missing: 'Diese Unterhaltung gibt es nicht.',
    unread: 'Neu', untitled: 'Neuer Chat',
    waiting: 'Wartet auf die Verbindung', sending: 'Wird gesendet …', notSent: (reason) => `Nicht gesendet: ${reason}`,
  },
  keys: {
    title: 'Tastatur',
    list: [
      ['Strg K', 'Suchen'], ['Strg Umschalt O', 'Neuer Chat'], ['Strg Umschalt S', 'Unterhaltungen ein- oder ausblenden'],
      ['Alt ↑ / Alt ↓', 'Vorige oder nächste Unterhaltung'], ['Eingabe', 'Senden'], ['Umschalt Eingabe', 'Neue Zeile'],
      ['Esc', 'Antwort anhalten oder Offenes schließen'], ['?', 'Diese Liste'],
    ],
  },
  message: {
    by: { USER: 'Sie', ASSISTANT: 'Assistent' },
    failed: {
      ASSISTANT_UNAVAILABLE: 'Der Assistent ist gerade nicht erreichbar.',
      ASSISTANT_TIMEOUT: 'Der Assistent hat zu lange gebraucht.',
      ASSISTANT_RATE_LIMITED: 'Der Assistent nimmt gerade keine weiteren Anfragen an.',
      ASSISTANT_REJECTED: 'Der Assistent hat die Anfrage abgelehnt.',
      CONTEXT_TOO_LONG: 'Die Unterhaltung ist für den Assistenten zu lang geworden.',
      CONTENT_FILTERED: 'Ein Inhaltsfilter hat die Antwort entfernt.',
      TRUNCATED: 'Die Antwort ist abgebrochen.',
      EMPTY: 'Der Assistent hat nichts geschrieben.',
      TOOLS_UNSUPPORTED: 'Der Assistent hat ein Werkzeug verlangt, das es nicht gibt.',
      INTERRUPTED: 'Der Server, der die Antwort schrieb, hat angehalten.',
    },
    image: 'Bild', length: 'Die Antwort hat ihre Grenze erreicht.', queued: 'Wartet, bis sie an der Reihe ist',
    stopped: 'Angehalten', thinking: 'Denkt nach …',
    thought: (seconds) => (seconds < 1 ? 'Nachgedacht' : `${seconds} s nachgedacht`),
    tokens: (input, output) => `${input} + ${output} Token`, tool: (name) => `Aufruf von ${name}`,
    version: (number, count) => `Fassung ${number} von ${count}`,
    previousVersion: 'Vorige Fassung', nextVersion: 'Nächste Fassung', writing: 'Der Assistent schreibt',
    finished: 'Die Antwort ist fertig',
  },
  notices: {
    archived: (count) => (count === 1 ? 'Archiviert' : `${count} archiviert`),
    deleted: (count) => (count === 1 ? 'In den Papierkorb gelegt' : `${count} in den Papierkorb gelegt`),
    failed: (reason) => `Das ging nicht: ${reason}`,
    offline: 'Keine Verbindung. Was Sie senden, geht hinaus, sobald sie zurück ist.',
  },
  settings: {
    title: 'Einstellungen', theme: 'Aussehen', themes: { system: 'Wie das System', light: 'Hell', dark: 'Dunkel' },
    language: 'Sprache', user: 'Benutzer', instructions: 'Was Assistenten wissen und beachten sollen', saved: 'Gespeichert', graphiql: 'GraphiQL', signOut: 'Abmelden',
  },
  sidebar: {
    archive: 'Archiv', chats: 'Chats', close: 'Unterhaltungen ausblenden', conversations: 'Unterhaltungen',
    emptyArchive: 'Das Archiv ist leer.', emptyChats: 'Hier stehen Ihre Unterhaltungen.', emptyTrash: 'Der Papierkorb ist leer.',
    newChat: 'Neuer Chat', noHits: 'Nichts gefunden.', open: 'Unterhaltungen einblenden', search: 'Suchen',
    selected: (count) => `${count} ausgewählt`, trash: 'Papierkorb', unread: 'ungelesen', title: 'Titel',
    groups: { pinned: 'Angeheftet', today: 'Heute', yesterday: 'Gestern', week: 'Letzte 7 Tage', month: 'Letzte 30 Tage' },
  },
  signIn: {
    title: 'Anmelden', explain: 'Diese Seite braucht ein Token Ihres Anmeldedienstes. Es bleibt im Speicher dieser Seite.',
    token: 'Token', submit: 'Anmelden', refused: 'Der Server nimmt dieses Token nicht an.',
    unreachable: 'Der Server ist gerade nicht erreichbar.',
  },
};
