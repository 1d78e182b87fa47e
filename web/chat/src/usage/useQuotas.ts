import { useEffect, useSyncExternalStore } from 'react';
import { useReplica, useSession } from '../shared/replica';
import type { Limit } from './quotas';

/** What is left of the user's quotas, read again whenever `after` changes. */
export function useQuotas(after?: string): readonly Limit[] {
  const { quotas } = useSession();
  const isLive = useReplica((it) => it.status === 'live');
  useEffect(() => {
    if (isLive) void quotas.refresh();
  }, [quotas, isLive, after]);
  return useSyncExternalStore(quotas.subscribe, quotas.get);
}
