import { useSyncExternalStore } from 'react';

/** What the page shows, from the address behind `#`: so it works below any path of a proxy, and needs no server. */
export interface Route {
  /** The conversation, if one is open; the key of its first message as long as it has no id. */
  conversation?: string;
  /** The message to go to. */
  message?: string;
}

function parse(hash: string): Route {
  const [, kind, conversation, , message] = hash.replace(/^#/, '').split('/').map(decodeURIComponent);
  if (kind !== 'c' || !conversation) return {};
  return message ? { conversation, message } : { conversation };
}

let current = parse(location.hash);
const listeners = new Set<() => void>();
addEventListener('hashchange', () => {
  current = parse(location.hash);
  for (const listener of listeners) listener();
});

export function address({ conversation, message }: Route): string {
  if (!conversation) return '#/';
  return `#/c/${encodeURIComponent(conversation)}${message ? `/m/${encodeURIComponent(message)}` : ''}`;
}

/** Shows something else; with `replace`, in the place of what is shown. */
export function go(route: Route, replace = false): void {
  if (replace) {
    history.replaceState(null, '', address(route));
    current = route;
    for (const listener of listeners) listener();
  } else location.hash = address(route);
}

export function useRoute(): Route {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}
