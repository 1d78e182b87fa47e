import { useAuiState } from '@assistant-ui/react';
import { useMemo } from 'react';
import { useSession } from '../shared/replica';

/**
 * The ids of the messages that assistant-ui has of a conversation, but for the reply that it expects itself; none while
 * it still has another one.
 */
export function useShown(conversation: string): readonly string[] {
  const { replica } = useSession();
  const ids = useAuiState(({ threads, thread }) => {
    if (replica.resolve(threads.mainThreadId) !== conversation) return '';
    return thread.messages.filter(({ metadata: { custom } }) => custom.message ?? custom.outgoing).map(({ id }) => id).join(' ');
  });
  return useMemo(() => (ids === '' ? [] : ids.split(' ')), [ids]);
}
