export type Limit = ReturnType<typeof createLimit>;

/** A signal that follows another one, and is also aborted when time is up. */
export function createLimit(signal?: AbortSignal) {
  const controller = new AbortController();
  const aborted = new Promise((resolve) => controller.signal.addEventListener('abort', resolve));
  const abort = () => controller.abort();
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  return {
    signal: controller.signal,
    /** Resolves once the signal is aborted. */
    aborted,
    /** Begins to count anew; 0 is for ever. */
    within(milliseconds: number): void {
      const end = Date.now() + milliseconds;
      // A timer stands still while its computer sleeps, so that one of this length could end much later.
      const look = () => {
        const left = end - Date.now();
        if (left > 0) timer = setTimeout(look, Math.min(left, 1000));
        else abort();
      };
      clearTimeout(timer);
      if (milliseconds) look();
    },
    end(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      abort();
    },
  };
}

/** Waits, unless the signal is aborted first. */
export async function delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
  const limit = createLimit(signal);
  limit.within(milliseconds);
  await limit.aborted;
  limit.end();
  signal?.throwIfAborted();
}
