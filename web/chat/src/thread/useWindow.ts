import type { Message } from '@causerie/client';
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react';
import { SHOWN, useMovableWindow } from '../Runtime';

/** How many messages are brought in or leave at a time. */
const STEP = 20;
/** How near to an edge, in pixels, more is brought in; and how near to the end counts as at the end. */
const NEAR = 1200;
const AT_END = 48;
/** How long after a wheel has asked to go up, in milliseconds, the page is not at its end. */
const WHEEL = 150;

/** Scrolls to the end, and remembers where that is. */
function stick(box: HTMLElement | null, last: RefObject<number>): void {
  if (!box) return;
  box.scrollTop = box.scrollHeight;
  last.current = box.scrollTop;
}

/** How many messages follow one of them; none if it is not there, as after an edit above it. */
function messagesAfter(messages: readonly Message[], id: string | undefined): number {
  if (id === undefined) return 0;
  for (let after = 0; after < messages.length; after += 1) if (messages[messages.length - after - 1]?.id === id) return after;
  return 0;
}

/** A message, and where it is in the window. */
interface Place {
  element: Element;
  top: number;
}

export interface View {
  viewport: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  atEnd: boolean;
  /** Whether it is at the end by now, which `atEnd` may not tell yet. */
  isAtEnd: () => boolean;
  toEnd: () => void;
  /** Brings a message into the page, and into sight, by its index in the list. */
  reveal: (index: number) => void;
  onScroll: () => void;
  hold: () => Place | undefined;
  restore: (place: Place | undefined) => void;
}

/**
 * Keeps a part of a long list in the page, which moves as it is scrolled, so that a list of 10,000 costs what one of 60
 * does. What is in sight stays in its place when something above it is added or removed; at the end, it stays at the
 * end when something is added there. `shown` are the ids of what the page has by now: assistant-ui takes a moment.
 */
export function useWindow(messages: readonly Message[], shown: readonly string[], loadOlder: (() => void) | undefined): View {
  const viewport = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const { part, move } = useMovableWindow();
  const list = useRef(messages);
  list.current = messages;
  const { length } = messages;
  const [atEnd, setAtEnd] = useState(true);
  const sticky = useRef(true);
  /** Where the page was scrolled to last. */
  const last = useRef(0);
  const wanted = useRef<string | undefined>(undefined);
  /** When a wheel last asked to go up. */
  const up = useRef(-Infinity);

  const after = messagesAfter(messages, part.until);
  const end = length - after;
  const start = Math.max(0, end - part.count);
  const isMoved = start === end || (shown[0] === messages[start]?.id && shown.length >= end - start);

  /** Where the first message in sight is. */
  const hold = useCallback((): Place | undefined => {
    const box = viewport.current;
    if (!box) return undefined;
    const top = box.getBoundingClientRect().top;
    const element = [...box.querySelectorAll('[data-message]')].find((it) => it.getBoundingClientRect().bottom > top);
    return element && { element, top: element.getBoundingClientRect().top };
  }, []);

  /** Shows what is wanted after the page has changed: a message, the end, or what was in sight before. */
  const restore = useCallback((place: Place | undefined) => {
    const box = viewport.current;
    if (!box) return;
    const element = wanted.current === undefined ? null : box.querySelector(`[data-message="${CSS.escape(wanted.current)}"]`);
    if (element) {
      wanted.current = undefined;
      // Of one that is higher than the window, the beginning.
      element.scrollIntoView({ block: element.clientHeight > box.clientHeight ? 'start' : 'center' });
    } else if (wanted.current !== undefined) return;
    else if (sticky.current) stick(box, last);
    else if (place?.element.isConnected) box.scrollTop += place.element.getBoundingClientRect().top - place.top;
    last.current = box.scrollTop;
  }, []);

  const isAtEnd = useCallback(() => sticky.current, []);

  const toEnd = useCallback(() => {
    sticky.current = true;
    setAtEnd(true);
    move({ count: SHOWN });
    stick(viewport.current, last);
  }, [move]);

  const reveal = useCallback(
    (index: number) => {
      sticky.current = false;
      setAtEnd(false);
      wanted.current = list.current[index]?.id;
      move({ count: SHOWN, until: list.current[index + SHOWN / 2 - 1]?.id });
    },
    [move],
  );

  const onScroll = useCallback(() => {
    const box = viewport.current;
    if (!box) return;
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    // Who scrolls up ever so little is not pulled back by the next word, until they scroll down again. What has grown
    // since the page was scrolled to its end is no scrolling up.
    const moved = box.scrollTop - last.current;
    const follows = (sticky.current && moved >= 0) || below < (moved > 0 ? AT_END : 2);
    last.current = box.scrollTop;
    // Nothing is decided by a part that is about to be another one.
    if (!isMoved) return;
    const reached = follows && after === 0 && performance.now() - up.current > WHEEL;
    sticky.current = reached;
    setAtEnd(reached);
    if (box.scrollTop < NEAR) {
      if (start > 0) {
        const added = Math.min(STEP, start);
        const count = end - start + added;
        // What is far below leaves the page.
        const removed = count > SHOWN && below > 2 * NEAR ? count - SHOWN : 0;
        move({ count: count - removed, until: removed > 0 || after > 0 ? list.current[end - removed - 1]?.id : undefined });
      } else loadOlder?.();
    } else if (below < NEAR && after > 0) {
      move({ count: SHOWN, until: list.current[end + STEP - 1]?.id });
    }
  }, [end, start, after, isMoved, move, loadOlder]);

  // What is in the page at first is shown at once, and what is revealed may be there already.
  useLayoutEffect(() => restore(undefined), [restore, part, shown]);

  // At the very top, no more scrolling tells that more is wanted.
  useEffect(onScroll, [onScroll, length]);

  // Words arrive, pictures of formulas grow, the window is resized: the end stays in sight.
  useEffect(() => {
    const [box, inner] = [viewport.current, content.current];
    if (!box || !inner) return;
    const observer = new ResizeObserver(() => {
      if (sticky.current) stick(box, last);
    });
    observer.observe(inner);
    observer.observe(box);
    // A word may come before the page hears that it has been scrolled: the wheel is heard of first.
    const onWheel = ({ deltaY }: WheelEvent) => {
      if (deltaY >= 0 || box.scrollTop <= 0) return;
      sticky.current = false;
      up.current = performance.now();
    };
    box.addEventListener('wheel', onWheel, { passive: true });
    return () => {
      observer.disconnect();
      box.removeEventListener('wheel', onWheel);
    };
  }, []);

  return { viewport, content, atEnd, isAtEnd, toEnd, reveal, onScroll, hold, restore };
}
