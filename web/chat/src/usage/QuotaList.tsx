import type { ReactElement } from 'react';
import { useAssistants } from '../assistants/Assistants';
import { useTexts } from '../texts';
import { amount, figure, moment } from './amounts';
import { useQuotas } from './useQuotas';

/** What is left of each quota. */
export function QuotaList(): ReactElement | null {
  const texts = useTexts();
  const { all, currency } = useAssistants();
  const quotas = useQuotas();
  if (quotas.length === 0) return null;
  return (
    <section className="quotas" aria-label={texts.usage.title}>
      <h3>{texts.usage.title}</h3>
      <ul>
        {quotas.map(({ measure, period, assistantId, left, limit, resetsAt }) => {
          const used = limit - left;
          const assistant = all.find(({ id }) => id === assistantId)?.name ?? assistantId;
          const name = [assistant, texts.usage.kinds[measure], texts.usage.periods[period]].filter(Boolean).join(' · ');
          return (
            <li key={`${measure} ${period} ${assistantId}`}>
              <span>{name}</span>
              <span>{texts.usage.used(figure(used, measure, currency), amount(limit, measure, texts, currency))}</span>
              <meter min={0} max={limit} high={limit * 0.8} value={used} aria-label={name} />
              <small>{texts.usage.reset(moment(resetsAt))}</small>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
