import { createClient, type ClientOptions, type Replica, type ReplicaOptions } from '@causerie/client';
import { createReplica } from '@causerie/client/replica';
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';

/** A replica, or what one is made of. */
export type ReplicaSource = { readonly replica: Replica } | (ClientOptions & Omit<ReplicaOptions, 'client'>);

/** The replica to use; one that is made here lives as long as the component, and stands for the first options. */
export function useSource(source: ReplicaSource): Replica {
  const given = 'replica' in source ? source.replica : undefined;
  // The token is asked for as the last rendering would.
  const latest = useRef(source);
  latest.current = source;
  const [own] = useState(() => {
    if ('replica' in source) return undefined;
    const token = (wasRefused: boolean) => {
      const current = 'replica' in latest.current ? undefined : latest.current.token;
      return typeof current === 'function' ? current(wasRefused) : (current ?? '');
    };
    return createReplica({ ...source, client: createClient({ ...source, token }) });
  });
  useEffect(() => {
    own?.start();
    return () => own?.stop();
  }, [own]);
  return (given ?? own)!;
}

/**
 * What `select` reads from a replica, such as `() => replica.list()`, whenever it changes. It must return the same object
 * until then, as all that a replica returns does. On a server, where there is no feed, it is `atFirst`.
 */
export function useReplica<Selected>(replica: Replica, select: () => Selected, atFirst: Selected): Selected {
  return useSyncExternalStore(replica.subscribe, select, () => atFirst);
}
