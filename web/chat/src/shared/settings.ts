import { useSyncExternalStore } from 'react';
import { preferredLanguage } from '../texts';

export type Theme = 'system' | 'light' | 'dark';

export interface Settings {
  theme: Theme;
  language: string;
}

const KEY = 'causerie:settings';
const listeners = new Set<() => void>();
let current = read();

function read(): Settings {
  const initial: Settings = { theme: 'system', language: preferredLanguage() };
  try {
    return { ...initial, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Settings>) };
  } catch {
    return initial;
  }
}

function announce(): void {
  if (current.theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = current.theme;
  document.documentElement.lang = current.language;
  for (const listener of listeners) listener();
}

// Another window has changed them.
addEventListener('storage', ({ key }) => {
  if (key !== KEY) return;
  current = read();
  announce();
});
announce();

export function change(settings: Partial<Settings>): void {
  current = { ...current, ...settings };
  localStorage.setItem(KEY, JSON.stringify(current));
  announce();
}

/** How the page looks and speaks, kept in this browser for all users. */
export function useSettings(): Settings {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}
