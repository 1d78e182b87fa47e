/** What a repetition of the same request, under the same key, may get past. */
const PASSING = ['NETWORK', 'UNAVAILABLE', 'TIMEOUT', 'REQUEST_TIMEOUT', 'RATE_LIMITED'];

/** A request that was refused or has got no answer. */
export class CauserieError extends Error {
  override readonly name = 'CauserieError';

  constructor(
    message: string,
    /** The server's code, one of the schema's `ErrorCode` or a later one; `NETWORK` if there was no answer. */
    readonly code: string,
    /** What else the server says, such as `field` or `retryAfter`. */
    readonly extensions: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Whether the same request may succeed when it is repeated later. */
  get isRetryable(): boolean {
    return PASSING.includes(this.code);
  }

  /** Milliseconds to wait before a repetition, if the server says so. */
  get retryAfter(): number | undefined {
    return Number(this.extensions['retryAfter']) * 1000 || undefined;
  }
}

export function isRetryable(error: unknown): boolean {
  return (error as CauserieError | undefined)?.isRetryable === true;
}

export function hasCode(error: unknown, code: string): boolean {
  return (error as CauserieError | undefined)?.code === code;
}
