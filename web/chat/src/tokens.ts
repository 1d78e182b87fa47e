import { createClient } from '@causerie/client';

/** How long before its end a token is renewed, in milliseconds. */
const AHEAD = 60_000;
/** The longest time that a timer of a browser can wait. */
const LONGEST = 2 ** 31 - 1;

/** Who is signed in, and the token that says so: another one in time, if there is a way to get one. */
export class Tokens {
  readonly userId: string;
  #token: string;
  readonly #renew: (() => Promise<string>) | undefined;
  #renewal: Promise<string> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(userId: string, token: string, renew?: () => Promise<string>) {
    this.userId = userId;
    this.#token = token;
    this.#renew = renew;
  }

  /** The token to use; after a refusal, another one. */
  readonly get = async (refused: boolean): Promise<string> => {
    // What cannot be renewed is refused by the server, and the page then asks to sign in.
    if (refused) await this.#renewed().catch(() => {});
    return this.#token;
  };

  /** Renews the token whenever it is about to expire, and then calls `onRenewed`, until `stop`. */
  start(onRenewed: () => void): void {
    const life = this.#renew && lifetime(this.#token);
    if (life === undefined) return;
    // Of a token that lives for a short time, the last quarter. Where the clocks disagree, not all the time.
    const wait = life > 0 ? life - Math.min(AHEAD, life / 4) : AHEAD;
    this.#timer = setTimeout(() => {
      const next = (): void => {
        onRenewed();
        this.start(onRenewed);
      };
      this.#renewed().then(next, () => {});
    }, Math.min(wait, LONGEST));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #renewed(): Promise<string> {
    this.#renewal ??= this.#replace().finally(() => (this.#renewal = undefined));
    return this.#renewal;
  }

  async #replace(): Promise<string> {
    if (!this.#renew) throw new Error('There is no way to renew a token.');
    const token = await this.#renew();
    const { id } = await createClient({ url: new URL('graphql', document.baseURI).href, token }).viewer();
    // Somebody else has signed in meanwhile: what this page shows is not theirs.
    if (id !== this.userId) throw new Error('The token is another user\'s.');
    return (this.#token = token);
  }
}

/** How long a token is good that has just been given, in milliseconds; `undefined` if it does not say so. */
function lifetime(token: string): number | undefined {
  try {
    const claims = JSON.parse(atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'))) as { exp?: unknown; iat?: unknown };
    const { exp, iat = Date.now() / 1000 } = claims;
    return typeof exp === 'number' && typeof iat === 'number' ? (exp - iat) * 1000 : undefined;
  } catch {
    return undefined;
  }
}
