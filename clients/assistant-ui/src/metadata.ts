import { useAuiState } from '@assistant-ui/react';
import type { Message, OutgoingMessage } from '@causerie/client';

/** What `metadata.custom` of a message holds. Both are missing in the place of a version that is not loaded yet. */
export interface CauserieMetadata {
  /** The server's row, for what assistant-ui has no place for, such as `usage` or `failure`. */
  readonly message?: Message;
  /** A message that is on its way to the server. */
  readonly outgoing?: OutgoingMessage;
}

/** The rows behind the message in which a component stands. */
export function useCauserieMetadata(): CauserieMetadata {
  return useAuiState((state) => state.message.metadata.custom);
}
