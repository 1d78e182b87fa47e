import { CauserieError } from '@causerie/client';
import type { Texts } from '../texts';
import { amount, moment } from '../usage/amounts';
import type { Measure, Period } from '../usage/quotas';

/** Why something did not work, for people. */
export function reason(error: unknown, texts: Texts, currency?: string): string {
  if (!(error instanceof CauserieError)) return error instanceof Error ? error.message : '';
  if (error.code === 'NETWORK') return texts.notices.unreachable;
  if (error.code !== 'QUOTA_EXCEEDED') return error.message;
  const { measure, limit, period, resetsAt } = error.extensions as { measure: Measure; limit: unknown; period: Period; resetsAt: string };
  return texts.usage.none(amount(Number(limit), measure, texts, currency), texts.usage.periods[period], moment(resetsAt));
}
