/** What the page needs to know when it comes back from signing in. */
interface Pending {
  state: string;
  /** What the page showed, behind `#`. */
  hash: string;
}

const KEY = 'causerie:sign-in';

/** Leaves for the page that gives tokens. */
export function leaveForToken(address: string): void {
  const pending: Pending = { state: crypto.randomUUID(), hash: location.hash };
  sessionStorage.setItem(KEY, JSON.stringify(pending));
  const url = new URL(address);
  url.searchParams.set('return_to', location.origin + location.pathname);
  url.searchParams.set('state', pending.state);
  location.assign(url);
}

/**
 * Takes the token that the address brings, and shows what was shown before. A token that this tab has not asked for is
 * left alone: otherwise a link could sign somebody in as somebody else, who would then read what they write.
 */
function takeToken(): string | undefined {
  const brought = new URLSearchParams(location.hash.slice(1));
  const token = brought.get('token');
  if (!token) return undefined;
  const pending = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Pending | null;
  sessionStorage.removeItem(KEY);
  const isAsked = pending !== null && pending.state === brought.get('state');
  history.replaceState(null, '', `${location.pathname}${isAsked ? pending.hash : ''}` || '/');
  return isAsked ? token : undefined;
}

/** The token that this page was opened with. It is taken before anything else reads the address. */
export const token = takeToken();
