import type { Message } from '@causerie/client';
import type { ReactElement } from 'react';
import { useAnswering } from '../assistants/answering';
import { useAssistants } from '../assistants/Assistants';
import { useTexts } from '../texts';
import { amount, figure, moment, share, tightest } from './amounts';
import { useQuotas } from './useQuotas';

/** From which share on it is said that little is left. */
const LITTLE = 0.2;

/** Says below the place to write when little is left of a quota. */
export function Remaining({ last }: { last: Message | undefined }): ReactElement | null {
  const texts = useTexts();
  const { currency } = useAssistants();
  const assistant = useAnswering();
  const quota = tightest(useQuotas(last && `${last.id} ${last.status}`), assistant?.id);
  if (!quota || share(quota) > LITTLE) return null;
  const { left, limit, measure, period, resetsAt } = quota;
  const all = amount(limit, measure, texts, currency);
  return (
    <p className="remaining" role="status">
      {left > 0
        ? texts.usage.left(figure(left, measure, currency), all, texts.usage.periods[period])
        : texts.usage.none(all, texts.usage.periods[period], moment(resetsAt))}
    </p>
  );
}
