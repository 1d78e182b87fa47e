import type { KeyboardEvent, ReactElement, Ref } from 'react';
import { ComposerPrimitive } from '../primitives';

interface Props {
  ref?: Ref<HTMLTextAreaElement>;
  label: string;
  placeholder?: string;
  autoFocus?: boolean;
  readOnly?: boolean;
  /** What Escape does, rather than ending the edit. */
  onEscape?: () => void;
}

/** The text of a composer, as high as it needs to be. Enter sends it, except while characters are being composed. */
export function TextField({ ref, label, onEscape, ...others }: Props): ReactElement {
  const press = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    // Where there is no other key for it, Enter begins a new line; 229 is what Safari says of a composition's last key.
    const composing = event.nativeEvent.isComposing || event.keyCode === 229;
    if (event.key === 'Enter' && !event.shiftKey && !composing && matchMedia('(pointer: fine)').matches) {
      event.preventDefault();
      if (!others.readOnly) event.currentTarget.form?.requestSubmit();
    } else if (event.key === 'Escape' && !composing && onEscape) {
      event.stopPropagation();
      onEscape();
    }
  };
  return (
    <ComposerPrimitive.Input
      ref={ref}
      dir="auto"
      aria-label={label}
      maxLength={32_000}
      submitMode="none"
      cancelOnEscape={!onEscape}
      addAttachmentOnPaste={false}
      onKeyDown={press}
      {...others}
    />
  );
}
