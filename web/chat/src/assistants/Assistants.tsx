import type { Assistant } from '@causerie/client';
import { createContext, useContext, useEffect, useMemo, useState, type ReactElement, type ReactNode } from 'react';
import { useReplica, useSession } from '../shared/replica';

export interface Assistants {
  /** Those that the user may choose, in the operator's order. */
  all: readonly Assistant[];
  /** The one that answers unless a conversation has another. */
  usual: string | undefined;
  /** Of all prices, if there are any. */
  currency: string | undefined;
  setUsual: (id: string) => void;
}

const AssistantsContext = createContext<Assistants>({ all: [], usual: undefined, currency: undefined, setUsual: () => {} });

/** The assistants that there are to choose from. */
export const useAssistants = (): Assistants => useContext(AssistantsContext);

export function AssistantsProvider({ children }: { children: ReactNode }): ReactElement {
  const { replica } = useSession();
  const [all, setAll] = useState<readonly Assistant[]>([]);
  const [usual, setUsual] = useState<string>();
  const isLive = useReplica((it) => it.status === 'live');
  useEffect(() => {
    if (!isLive) return;
    const { client } = replica;
    const read = async (): Promise<void> => {
      const [assistants, { assistantId }] = await Promise.all([client.assistants(), client.settings()]);
      setAll(assistants);
      setUsual((assistants.find(({ id }) => id === assistantId) ?? assistants.find(({ isDefault }) => isDefault))?.id);
    };
    read().catch(() => {});
  }, [replica, isLive]);
  const value = useMemo(
    () => ({ all, usual, setUsual, currency: all.find(({ price }) => price)?.price?.currency }),
    [all, usual],
  );
  return <AssistantsContext value={value}>{children}</AssistantsContext>;
}
