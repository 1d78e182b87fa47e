import type { Range } from '@causerie/client';
import { useId, type ReactElement } from 'react';
import { Icon } from '../shared/Icon';
import { useTexts } from '../texts';

interface Props {
  label: string;
  range: Range;
  /** Whether only whole numbers are values. */
  whole?: boolean;
  /** What is set; nothing leaves it to the assistant. */
  value: number | null | undefined;
  onChange: (value: number | null) => void;
}

/** A number within a range, or none. */
export function Slider({ label, range, whole = false, value, onChange }: Props): ReactElement {
  const texts = useTexts();
  const id = useId();
  const { minimum, maximum } = range;
  const usual = range.default ?? (minimum + maximum) / 2;
  const isSet = value != null;
  const shown = isSet ? `${value}` : range.default === null ? texts.chatSettings.usual : `${texts.chatSettings.usual} (${range.default})`;
  return (
    <div className={isSet ? 'slider' : 'slider unset'}>
      <label htmlFor={id}>{label}</label>
      <output htmlFor={id}>{shown}</output>
      <button
        type="button"
        className="icon"
        aria-label={`${texts.chatSettings.reset}: ${label}`}
        title={texts.chatSettings.reset}
        disabled={!isSet}
        onClick={() => onChange(null)}
      >
        <Icon name="restore" />
      </button>
      <input
        id={id}
        type="range"
        min={minimum}
        max={maximum}
        step={whole ? 1 : 'any'}
        aria-valuetext={shown}
        value={value ?? usual}
        // A hundredth is finer than anybody can tell, and the ends of a range are within it.
        onChange={({ target: { valueAsNumber } }) => onChange(whole ? valueAsNumber : Math.min(maximum, Math.max(minimum, Math.round(valueAsNumber * 100) / 100)))}
      />
    </div>
  );
}
