import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react';

/** How many messages are in the page at most, and how many are added or removed at a time. */
const SHOWN = 60;
const STEP = 20;
/** How near to an edge, in pixels, more is brought in; and how near to the end counts as at the end. */
const NEAR = 1200;
const AT_END = 48;

interface Window {
  /** The index after the last message that is in the page, counted from the end: it stays when older ones are loaded. */
  after: number;
  count: number;
}

export interface View {
  viewport: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  /** The messages that are in the page: `list.slice(start, end)`. */
  start: number;
  end: number;
  atEnd: boolean;
  toEnd: () => void;
  /** Brings a message into the page, and into sight. */
  reveal: (index: number) => void;
  onScroll: () => void;
}

/**
 * Keeps a part of a long list in the page, which moves as it is scrolled, so that a list of 10,000 costs what one of 60
 * does. What is in sight stays in its place when something above it is added or removed; at the end, it stays at the
 * end when something is added there.
 */
export function useWindow(length: number, loadOlder: (() => void) | undefined): View {
  const viewport = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const [part, setPart] = useState<Window>({ after: 0, count: SHOWN });
  const [atEnd, setAtEnd] = useState(true);
  const sticky = useRef(true);
  const anchor = useRef<{ element: Element; top: number } | undefined>(undefined);
  const wanted = useRef<number | undefined>(undefined);

  const end = Math.max(0, length - part.after);
  const start = Math.max(0, end - part.count);

  /** Remembers where the first message in sight is, for after the next change. */
  const hold = useCallback(() => {
    const box = viewport.current;
    if (!box) return;
    const top = box.getBoundingClientRect().top;
    const element = [...box.querySelectorAll('[data-message]')].find((it) => it.getBoundingClientRect().bottom > top);
    anchor.current = element && { element, top: element.getBoundingClientRect().top };
  }, []);

  const toEnd = useCallback(() => {
    sticky.current = true;
    anchor.current = undefined;
    setAtEnd(true);
    setPart({ after: 0, count: SHOWN });
    const box = viewport.current;
    if (box) box.scrollTop = box.scrollHeight;
  }, []);

  const reveal = useCallback(
    (index: number) => {
      sticky.current = false;
      wanted.current = index;
      const after = Math.max(0, length - index - SHOWN / 2);
      setPart({ after, count: SHOWN });
    },
    [length],
  );

  const onScroll = useCallback(() => {
    const box = viewport.current;
    if (!box) return;
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    const reached = below < AT_END && part.after === 0;
    sticky.current = reached;
    setAtEnd(reached);
    if (box.scrollTop < NEAR) {
      if (start > 0) {
        hold();
        const added = Math.min(STEP, start);
        const count = end - start + added;
        // What is far below leaves the page.
        const removed = count > SHOWN && below > 2 * NEAR ? count - SHOWN : 0;
        setPart({ after: part.after + removed, count: count - removed });
      } else loadOlder?.();
    } else if (below < NEAR && part.after > 0) {
      hold();
      setPart({ after: Math.max(0, part.after - STEP), count: SHOWN });
    }
  }, [end, start, part, hold, loadOlder]);

  // Older messages were loaded: what was the first stays where it is.
  const known = useRef(length);
  if (known.current !== length) {
    if (!sticky.current && !anchor.current) hold();
    known.current = length;
  }

  useLayoutEffect(() => {
    const box = viewport.current;
    if (!box) return;
    const index = wanted.current;
    if (index !== undefined) {
      const element = box.querySelector(`[data-index="${index}"]`);
      if (element) {
        wanted.current = undefined;
        element.scrollIntoView({ block: 'center' });
      }
    } else if (sticky.current) box.scrollTop = box.scrollHeight;
    else if (anchor.current?.element.isConnected) {
      box.scrollTop += anchor.current.element.getBoundingClientRect().top - anchor.current.top;
    }
    anchor.current = undefined;
  }, [start, end, length]);

  // At the very top, no more scrolling tells that more is wanted.
  useEffect(onScroll, [onScroll, length]);

  // Words arrive, pictures of formulas grow, the window is resized: the end stays in sight.
  useEffect(() => {
    const [box, inner] = [viewport.current, content.current];
    if (!box || !inner) return;
    const observer = new ResizeObserver(() => {
      if (sticky.current) box.scrollTop = box.scrollHeight;
    });
    observer.observe(inner);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);

  return { viewport, content, start, end, atEnd, toEnd, reveal, onScroll };
}
