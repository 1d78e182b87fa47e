import { useLayoutEffect, useRef, type ReactElement, type ReactNode } from 'react';
import { useTexts } from '../texts';
import { Icon } from './Icon';

/** A window over the page; Escape and a click beside it close it. */
export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }): ReactElement {
  const texts = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    // The focus goes back to where it was.
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onClose={onClose}
      onClick={({ target }) => {
        if (target === dialog.current) onClose();
      }}
    >
      <header>
        <h2>{title}</h2>
        <button type="button" className="icon" aria-label={texts.actions.close} onClick={onClose}><Icon name="close" /></button>
      </header>
      {children}
    </dialog>
  );
}
