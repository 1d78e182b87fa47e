import type { Client } from '@causerie/client';

export type Period = 'DAY' | 'MONTH';
export type Measure = 'REPLIES' | 'TOKENS' | 'COST';

/** How much of one thing may be used in a period. */
export interface Quota {
  measure: Measure;
  period: Period;
  resetsAt: string;
  /** The assistant whose replies count; `null` if those of all count. */
  assistantId: string | null;
  assistant: string | undefined;
  limit: number;
  left: number;
}

interface Allowance {
  limit: number | string;
  used: number | string;
  reserved: number | string;
}

interface Found {
  viewer: {
    quotas: {
      period: Period;
      resetsAt: string;
      assistantId: string | null;
      assistant: { name: string } | null;
      replies: Allowance | null;
      tokens: Allowance | null;
      cost: Allowance | null;
    }[];
  };
}

const ALLOWANCE = '{ limit used reserved }';
const DOCUMENT = `{ viewer { quotas { period resetsAt assistantId assistant { name }
  replies ${ALLOWANCE} tokens ${ALLOWANCE} cost ${ALLOWANCE} } } }`;

/** What is left of the user's quotas. */
export class Quotas {
  readonly #client: Client;
  readonly #listeners = new Set<() => void>();
  #current: readonly Quota[] = [];
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

  readonly get = (): readonly Quota[] => this.#current;

  /** Reads them again, as something has been used. */
  async refresh(): Promise<void> {
    this.#isStale = true;
    if (this.#isReading || this.#isUnlimited) return;
    this.#isReading = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        const { viewer } = await this.#client.query<Found>(DOCUMENT);
        this.#current = viewer.quotas.flatMap(split);
        this.#isUnlimited = viewer.quotas.length === 0;
        for (const listener of this.#listeners) listener();
      }
    } catch {
      // The last ones stay: the next reply asks again.
    } finally {
      this.#isReading = false;
    }
  }
}

function split({ assistant, period, resetsAt, assistantId, replies, tokens, cost }: Found['viewer']['quotas'][number]): Quota[] {
  const measures: [Measure, Allowance | null][] = [['REPLIES', replies], ['TOKENS', tokens], ['COST', cost]];
  return measures.flatMap(([measure, allowance]) => {
    if (!allowance) return [];
    const [limit, used, reserved] = [Number(allowance.limit), Number(allowance.used), Number(allowance.reserved)];
    return [{ measure, period, resetsAt, assistantId, assistant: assistant?.name, limit, left: Math.max(0, limit - used - reserved) }];
  });
}
