import type { Replica } from '@causerie/client';
import { createContext, useContext, useSyncExternalStore } from 'react';
import type { Tokens } from '../tokens';
import type { Quotas } from '../usage/quotas';

/** Who is signed in, and the one cache of what they have. */
export interface Session {
  replica: Replica;
  userId: string;
  tokens: Tokens;
  quotas: Quotas;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('nobody is signed in');
  return session;
}

/** What `read` finds in the replica, again whenever that changes. It must return the same object until then. */
export function useReplica<T>(read: (replica: Replica) => T): T {
  const { replica } = useSession();
  return useSyncExternalStore(
    (listener) => replica.subscribe(listener),
    () => read(replica),
  );
}
