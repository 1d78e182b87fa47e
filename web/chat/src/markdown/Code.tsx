import { useEffect, useState, type ReactElement, type ReactNode } from 'react';
import { useTexts } from '../texts';
import { Copy } from '../shared/Copy';
import type { Highlight } from './highlight';

let highlight: Highlight | undefined;

/** A block of code. The highlighting is loaded when the first block is shown, and done when the block rests. */
export function Code({ text, language }: { text: string; language: string | undefined }): ReactElement {
  const texts = useTexts();
  const [shown, setShown] = useState<{ text: string; content: ReactNode }>();

  useEffect(() => {
    if (!language || text.length > 50_000) return;
    let here = true;
    // While code is being written, colours that change with every word would flicker.
    const timer = setTimeout(() => {
      void (async () => {
        highlight ??= (await import('./highlight')).highlight;
        const content = highlight(text, language);
        if (here && content) setShown({ text, content });
      })();
    }, 100);
    return () => {
      here = false;
      clearTimeout(timer);
    };
  }, [text, language]);

  return (
    <figure className="code" dir="ltr">
      <figcaption>
        <span>{language}</span>
        <Copy text={text} label={texts.actions.copyCode} />
      </figcaption>
      <pre tabIndex={0}>
        <code>{shown?.text === text ? shown.content : text}</code>
      </pre>
    </figure>
  );
}
