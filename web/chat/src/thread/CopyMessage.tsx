import { useAuiState } from '@assistant-ui/react';
import type { ReactElement } from 'react';
import { ActionBarPrimitive } from '../primitives';
import { Icon } from '../shared/Icon';
import { useTexts } from '../texts';

/** Puts the text of a message into the clipboard, and says so for a moment. */
export function CopyMessage(): ReactElement {
  const { copy, copied } = useTexts().actions;
  const isCopied = useAuiState((state) => state.message.isCopied);
  return (
    <ActionBarPrimitive.Copy className="icon" copiedDuration={2000} aria-label={isCopied ? copied : copy} title={copy}>
      <Icon name={isCopied ? 'check' : 'copy'} />
    </ActionBarPrimitive.Copy>
  );
}
