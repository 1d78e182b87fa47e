import { useLayoutEffect, useRef, type KeyboardEvent, type ReactElement, type RefObject } from 'react';

interface Props {
  ref?: RefObject<HTMLTextAreaElement | null>;
  label: string;
  placeholder?: string;
  value: string;
  onChange: (value: string) => void;
  onEnter: () => void;
  onEscape?: () => void;
}

/** Text of several lines, as high as it needs to be. Enter ends it, except while characters are being composed. */
export function TextField({ ref, label, placeholder, value, onChange, onEnter, onEscape }: Props): ReactElement {
  const own = useRef<HTMLTextAreaElement>(null);
  const field = ref ?? own;
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [field, value]);

  const press = (event: KeyboardEvent): void => {
    // Where there is no other key for it, Enter begins a new line; 229 is what Safari says of a composition's last key.
    const composing = event.nativeEvent.isComposing || event.keyCode === 229;
    if (event.key === 'Enter' && !event.shiftKey && !composing && matchMedia('(pointer: fine)').matches) {
      event.preventDefault();
      onEnter();
    } else if (event.key === 'Escape' && !composing && onEscape) {
      event.stopPropagation();
      onEscape();
    }
  };

  return (
    <textarea
      ref={field}
      rows={1}
      dir="auto"
      aria-label={label}
      placeholder={placeholder}
      value={value}
      maxLength={32_000}
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={press}
    />
  );
}
