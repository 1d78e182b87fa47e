import type { Client, Quota } from '@causerie/client';

export type Period = Quota['period'];
export type Measure = 'REPLIES' | 'TOKENS' | 'COST';

/** How much of one thing may be used in a period. */
export interface Limit extends Pick<Quota, 'period' | 'resetsAt' | 'assistantId'> {
  measure: Measure;
  limit: number;
  left: number;
}

/** What is left of the user's quotas. */
export class Quotas {
  readonly #client: Client;
  readonly #listeners = new Set<() => void>();
  #current: readonly Limit[] = [];
  #isReading = false;
  #isStale = false;
  /** A server without quotas is not asked again. */
  #isUnlimited = false;

  constructor(client: Client) {
    this.#client = client;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly get = (): readonly Limit[] => this.#current;

  /** Reads them again, as something has been used. */
  async refresh(): Promise<void> {
    this.#isStale = true;
    if (this.#isReading || this.#isUnlimited) return;
    this.#isReading = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        const quotas = await this.#client.quotas();
        this.#current = quotas.flatMap(limitsOf);
        this.#isUnlimited = quotas.length === 0;
        for (const listener of this.#listeners) listener();
      }
    } catch {
      // The last ones stay: the next reply asks again.
    } finally {
      this.#isReading = false;
    }
  }
}

function limitsOf({ period, resetsAt, assistantId, replies, tokens, cost }: Quota): Limit[] {
  const measures = [['REPLIES', replies], ['TOKENS', tokens], ['COST', cost]] as const;
  return measures.flatMap(([measure, allowance]) => {
    if (!allowance) return [];
    const [limit, used, reserved] = [Number(allowance.limit), Number(allowance.used), Number(allowance.reserved)];
    return [{ measure, period, resetsAt, assistantId, limit, left: Math.max(0, limit - used - reserved) }];
  });
}
