import type { AssistantRuntime } from '@assistant-ui/react';
import { useRef } from 'react';

interface Attempt {
  readonly messageId: string;
  readonly content: string;
  readonly key: string;
}

/**
 * The key of an edit: the same one when the same text is saved again, so that an attempt whose answer was lost is not
 * made twice.
 */
export function useEditKey(): (messageId: string, content: string) => string {
  const last = useRef<Attempt>(undefined);
  return (messageId, content) => {
    if (last.current?.messageId !== messageId || last.current.content !== content) {
      const key = crypto.getRandomValues(new Uint32Array(4)).join('-');
      last.current = { messageId, content, key };
    }
    return last.current.key;
  };
}

/** Opens the editor of a message again with what could not be saved: assistant-ui has closed it. */
export function reopenEditor(runtime: AssistantRuntime, messageId: string, content: string): void {
  const isShown = runtime.thread.getState().messages.some(({ id }) => id === messageId);
  if (!isShown) return;
  const { composer } = runtime.thread.getMessageById(messageId);
  if (composer.getState().isEditing) return;
  composer.beginEdit();
  composer.setText(content);
}
