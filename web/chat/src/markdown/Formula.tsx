import { useEffect, useRef, useState, type ReactElement } from 'react';

/** A formula as MathML, which browsers lay out by themselves; its source until the typesetting is loaded. */
export function Formula({ text, display }: { text: string; display: boolean }): ReactElement {
  const place = useRef<HTMLSpanElement>(null);
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    let here = true;
    void (async () => {
      const { render } = await import('./typeset');
      if (here && place.current) setFailed(!render(text, place.current, display));
    })();
    return () => {
      here = false;
    };
  }, [text, display]);

  // What the typesetting puts into the first element is none of React's business.
  return (
    <span className={display ? 'formula display' : 'formula'} tabIndex={display ? 0 : undefined}>
      <span ref={place} hidden={failed}>{''}</span>
      {failed && <code>{text}</code>}
    </span>
  );
}
