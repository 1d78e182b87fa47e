import { useEffect, useRef } from 'react';
import { go } from './shared/route';

interface Keys {
  search: () => void;
  sidebar: () => void;
  help: () => void;
  /** Goes to the conversation that many places down the list. */
  step: (by: number) => void;
}

/** The keys that work everywhere in the page. */
export function useKeys(keys: Keys): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const { key, altKey, shiftKey, target } = event;
      const command = event.ctrlKey || event.metaKey;
      const writing = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
      const action = ((): (() => void) | undefined => {
        if (command && !shiftKey && key.toLowerCase() === 'k') return latest.current.search;
        if (command && shiftKey && key.toLowerCase() === 'o') return () => go({});
        if (command && shiftKey && key.toLowerCase() === 's') return latest.current.sidebar;
        if (altKey && key === 'ArrowUp') return () => latest.current.step(-1);
        if (altKey && key === 'ArrowDown') return () => latest.current.step(1);
        if (key === '?' && !writing) return latest.current.help;
        return undefined;
      })();
      if (!action || event.isComposing) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}
