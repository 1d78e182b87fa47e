import type { Thread } from '@causerie/client';

/** A part of a thread. */
export interface MessageWindow {
  /** How many messages it has at most. */
  readonly count: number;
  /** The id of the newest of them. Without one, or where the thread has no such message, it is at the thread's end. */
  readonly until?: string | undefined;
}

/**
 * A thread as if it had no other messages than those of the window. A window does not end with a question that has an
 * answer, which is added: assistant-ui would show one that is still to come.
 */
export function within(thread: Thread, { count, until }: MessageWindow): Thread {
  const { messages } = thread;
  let end = messages.length;
  if (until !== undefined) while (end > 0 && messages[end - 1]!.id !== until) end -= 1;
  if (end === 0) end = messages.length;
  const start = Math.max(0, end - count);
  while (end < messages.length && messages[end - 1]?.role === 'USER') end += 1;
  const isAtEnd = end === messages.length;
  if (start === 0 && isAtEnd) return thread;
  return { ...thread, messages: messages.slice(start, end), outgoing: isAtEnd ? thread.outgoing : [] };
}
