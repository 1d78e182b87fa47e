import { createContext, useContext } from 'react';
import { de } from './de';
import { en, type Texts } from './en';

export type { Texts } from './en';
export const languages: Record<string, Texts> = { en, de };

/** The language that the browser prefers, of those that there are. */
export function preferredLanguage(): string {
  return navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in languages) ?? 'en';
}

export const TextsContext = createContext<Texts>(en);
export const useTexts = (): Texts => useContext(TextsContext);
