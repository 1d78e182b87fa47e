import { useSyncExternalStore, type ReactElement } from 'react';
import { useTexts } from '../texts';
import { Icon } from './Icon';

interface Notice {
  id: number;
  text: string;
  action?: { label: string; run: () => void };
}

/** How long a notice stays: long enough to read it and to take its action. */
const SHOWN = 10_000;

let notices: readonly Notice[] = [];
let next = 0;
const listeners = new Set<() => void>();

function set(list: readonly Notice[]): void {
  notices = list;
  for (const listener of listeners) listener();
}

function drop(id: number): void {
  set(notices.filter((notice) => notice.id !== id));
}

/** Shows a notice for a while, at most three at a time. */
export function notify(text: string, action?: Notice['action']): void {
  const id = next++;
  set([...notices.slice(-2), action ? { id, text, action } : { id, text }]);
  setTimeout(() => drop(id), SHOWN);
}

export function Notices(): ReactElement {
  const texts = useTexts();
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );
  return (
    <div className="notices" role="status">
      {shown.map(({ id, text, action }) => (
        <div className="notice" key={id}>
          <span>{text}</span>
          {action && (
            <button
              type="button"
              className="link"
              onClick={() => {
                action.run();
                drop(id);
              }}
            >
              {action.label}
            </button>
          )}
          <button type="button" className="icon" aria-label={texts.actions.close} onClick={() => drop(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
