import { createContext, useContext, useEffect, useMemo, useState, type ReactElement, type ReactNode } from 'react';
import { useReplica, useSession } from '../shared/replica';

/** What may be set of a parameter, and what holds unless it is. */
export interface Range {
  minimum: number;
  maximum: number;
  default: number | null;
}

export interface Assistant {
  id: string;
  name: string;
  description: string | null;
  isDefault: boolean;
  temperature: Range | null;
  topP: Range | null;
  maxTokens: Range | null;
  reasoningEfforts: readonly string[];
  price: { currency: string } | null;
}

export interface Assistants {
  /** Those that the user may choose, in the operator's order. */
  all: readonly Assistant[];
  /** The one that answers unless a conversation has another. */
  usual: string | undefined;
  /** Of all prices, if there are any. */
  currency: string | undefined;
  setUsual: (id: string) => void;
}

interface Found {
  assistants: Assistant[];
  viewer: { assistantId: string | null };
}

const RANGE = '{ minimum maximum default }';
const DOCUMENT = `{ assistants { id name description isDefault temperature ${RANGE} topP ${RANGE} maxTokens ${RANGE}
  reasoningEfforts price { currency } } viewer { assistantId } }`;

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
    const show = ({ assistants, viewer }: Found): void => {
      setAll(assistants);
      setUsual((assistants.find(({ id }) => id === viewer.assistantId) ?? assistants.find(({ isDefault }) => isDefault))?.id);
    };
    replica.client.query<Found>(DOCUMENT).then(show).catch(() => {});
  }, [replica, isLive]);
  const value = useMemo(
    () => ({ all, usual, setUsual, currency: all.find(({ price }) => price)?.price?.currency }),
    [all, usual],
  );
  return <AssistantsContext value={value}>{children}</AssistantsContext>;
}
