import type { Message } from '@causerie/client';
import type { ReactElement } from 'react';
import { useAssistants } from '../assistants/Assistants';
import { useTexts } from '../texts';
import { money } from '../usage/amounts';

/** Who wrote a reply, and what it took and cost. */
export function Took({ message }: { message: Message }): ReactElement | null {
  const texts = useTexts();
  const { currency, all } = useAssistants();
  const { assistantId, usage } = message;
  const { inputTokens, outputTokens, estimated, cost } = usage ?? {};
  const tokens = inputTokens != null && outputTokens != null ? texts.message.tokens(inputTokens, outputTokens) : undefined;
  const price = cost != null && Number(cost) > 0 ? money(Number(cost), currency) : undefined;
  const taken = [tokens, price].filter(Boolean).join(' · ');
  // With several assistants, their names say more than those of models.
  const name = all.length > 1 ? (all.find(({ id }) => id === assistantId)?.name ?? message.model) : message.model;
  if (!name && !taken) return null;
  return (
    <span className="took" title={estimated ? texts.message.estimated : undefined}>
      {[name, taken && (estimated ? `≈ ${taken}` : taken)].filter(Boolean).join(' · ')}
    </span>
  );
}
