import { useState, type ReactElement } from 'react';
import { useTexts } from '../texts';
import { Icon } from './Icon';

/** A button that puts a text into the clipboard, and says so for a moment. */
export function Copy({ text, label }: { text: string; label: string }): ReactElement {
  const texts = useTexts();
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <button type="button" className="icon" aria-label={copied ? texts.actions.copied : label} title={label} onClick={() => void copy()}>
      <Icon name={copied ? 'check' : 'copy'} />
    </button>
  );
}
