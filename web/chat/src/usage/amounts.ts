import type { Texts } from '../texts';
import type { Limit, Measure } from './quotas';

/** The language that the page speaks. */
const language = (): string => document.documentElement.lang;

/** An amount of money, with two digits that say something; without a currency if that is not known. */
export function money(amount: number, currency: string | undefined): string {
  const digits = amount >= 1 || amount === 0 ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : { maximumSignificantDigits: 2 };
  const style = currency ? { style: 'currency', currency } as const : {};
  return new Intl.NumberFormat(language(), { ...style, minimumFractionDigits: 0, ...digits }).format(amount);
}

/** A number of what is measured, without saying what that is. */
export function figure(value: number, measure: Measure, currency: string | undefined): string {
  return measure === 'COST' ? money(value, currency) : new Intl.NumberFormat(language()).format(value);
}

/** An amount of what is measured, in words. */
export function amount(value: number, measure: Measure, texts: Texts, currency: string | undefined): string {
  const shown = figure(value, measure, currency);
  return measure === 'COST' ? shown : texts.usage.measures[measure](value, shown);
}

/** When a quota is reset: the time if that is today or tomorrow, and the day otherwise. */
export function moment(time: string): string {
  const date = new Date(time);
  const isNear = date.getTime() - Date.now() < 86_400_000;
  const shown: Intl.DateTimeFormatOptions = isNear ? { hour: 'numeric', minute: '2-digit' } : { day: 'numeric', month: 'long' };
  return new Intl.DateTimeFormat(language(), shown).format(date);
}

/** Of the limits that count an assistant's replies, the one of which the least is left. */
export function tightest(limits: readonly Limit[], assistant: string | undefined): Limit | undefined {
  const counting = limits.filter(({ assistantId }) => assistantId === null || assistantId === assistant);
  return counting.reduce<Limit | undefined>((least, it) => (least && share(least) <= share(it) ? least : it), undefined);
}

export function share({ left, limit }: Limit): number {
  return limit > 0 ? left / limit : 0;
}
