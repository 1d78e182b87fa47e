import type { Storage } from '@graphiql/toolkit';

const prefix = 'graphiql:';
const histories = new Set([`${prefix}queries`, `${prefix}favorites`]);

/**
 * GraphiQL's place for tabs and history, on top of the browser's. Tokens are never written to it: history
 * is stored without its headers, and comes back with those that the page opened with.
 */
export function createStorage(browser: globalThis.Storage, headers: string): Storage {
  const keys = () => Object.keys(browser).filter((key) => key.startsWith(prefix));
  return {
    getItem(key) {
      const value = browser.getItem(key);
      return value !== null && histories.has(key) ? withHeaders(value, headers) : value;
    },
    setItem(key, value) {
      browser.setItem(key, histories.has(key) ? withHeaders(value, undefined) : value);
    },
    removeItem: (key) => browser.removeItem(key),
    clear: () => keys().forEach((key) => browser.removeItem(key)),
    get length() {
      return keys().length;
    },
  };
}

function withHeaders(history: string, headers: string | undefined): string {
  const lists = Object.entries(JSON.parse(history) as Record<string, object[]>);
  return JSON.stringify(
    Object.fromEntries(lists.map(([name, items]) => [name, items.map((item) => ({ ...item, headers }))])),
  );
}
