/** The place of the draft that is to start a conversation. */
export const NEW = 'new';

/** Texts that were not sent yet, one for each conversation and user. They outlive reloads. */
const key = (userId: string, place: string): string => `causerie:${userId}:draft:${place}`;

export function readDraft(userId: string, place: string): string {
  return localStorage.getItem(key(userId, place)) ?? '';
}

export function writeDraft(userId: string, place: string, text: string): void {
  try {
    if (text) localStorage.setItem(key(userId, place), text);
    else localStorage.removeItem(key(userId, place));
  } catch {
    // No room is left: the draft lasts as long as the page.
  }
}

/** Takes a draft along to where it is to be sent. */
export function moveDraft(userId: string, from: string, to: string): void {
  writeDraft(userId, to, readDraft(userId, from));
  writeDraft(userId, from, '');
}
