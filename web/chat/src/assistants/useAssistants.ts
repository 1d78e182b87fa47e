import { useEffect, useState } from 'react';
import { useSession } from '../shared/replica';

export interface Assistant {
  id: string;
  name: string;
  description: string | null;
  isDefault: boolean;
}

export interface Assistants {
  /** Those that the user may choose, in the operator's order. */
  all: readonly Assistant[];
  /** The one that answers unless a conversation has another. */
  usual: string | undefined;
}

interface Found {
  assistants: Assistant[];
  viewer: { assistantId: string | null };
}

const NONE: Assistants = { all: [], usual: undefined };

/** The assistants that there are to choose from. */
export function useAssistants(): [Assistants, (usual: string) => void] {
  const { replica } = useSession();
  const [assistants, setAssistants] = useState(NONE);
  useEffect(() => {
    const document = '{ assistants { id name description isDefault } viewer { assistantId } }';
    const show = ({ assistants: all, viewer }: Found): void => {
      const chosen = all.find(({ id }) => id === viewer.assistantId) ?? all.find(({ isDefault }) => isDefault);
      setAssistants({ all, usual: chosen?.id });
    };
    replica.client.query<Found>(document).then(show).catch(() => {});
  }, [replica]);
  return [assistants, (usual) => setAssistants((before) => ({ ...before, usual }))];
}
