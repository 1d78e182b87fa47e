/** What the page needs to know when it comes back from signing in. */
interface Pending {
  state: string;
  /** What the page showed, behind `#`. */
  hash: string;
}

/** What the page in a frame tells the one that has made the frame. */
interface Brought {
  token: string;
  state: string;
}

const KEY = 'causerie:sign-in';
/** How long the page that gives tokens may take when nobody sees it, in milliseconds. */
const PATIENCE = 10_000;

function visit(address: string, state: string): URL {
  const url = new URL(address);
  url.searchParams.set('return_to', location.origin + location.pathname);
  url.searchParams.set('state', state);
  return url;
}

/** Leaves for the page that gives tokens. */
export function leaveForToken(address: string): void {
  const pending: Pending = { state: newState(), hash: location.hash };
  sessionStorage.setItem(KEY, JSON.stringify(pending));
  location.assign(visit(address, pending.state));
}

/**
 * Gets another token without leaving, in a frame that nobody sees. It fails if the page that gives tokens wants to show
 * something, or may not be in a frame.
 */
export function renewToken(address: string): Promise<string> {
  const state = newState();
  const url = visit(address, state);
  url.searchParams.set('prompt', 'none');
  const frame = document.createElement('iframe');
  frame.hidden = true;
  return new Promise<string>((resolve, reject) => {
    const leaving = new AbortController();
    const end = (): void => {
      clearTimeout(timer);
      leaving.abort();
      frame.remove();
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error('No token has come.'));
    }, PATIENCE);
    const take = ({ origin, source, data }: MessageEvent<Brought>): void => {
      if (origin !== location.origin || source !== frame.contentWindow || data.state !== state) return;
      end();
      resolve(data.token);
    };
    addEventListener('message', take, { signal: leaving.signal });
    frame.src = url.href;
    document.body.append(frame);
  });
}

/** Something that nobody can guess. */
function newState(): string {
  // Pages without TLS have no `randomUUID`.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
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

/** Whether this page is in a frame: then it shows nothing, and only hands over the token that it was opened with. */
export const isFramed = parent !== window;

function handOver(): undefined {
  const brought = new URLSearchParams(location.hash.slice(1));
  const token = brought.get('token');
  const message: Brought | null = token ? { token, state: brought.get('state') ?? '' } : null;
  // To a page of this server only.
  if (message) parent.postMessage(message, location.origin);
}

/** The token that this page was opened with. It is taken before anything else reads the address. */
export const token = isFramed ? handOver() : takeToken();
