import type { Settings } from '@causerie/client';
import { useEffect, useState, type ReactElement } from 'react';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import { useSession } from '../shared/replica';
import { useTexts } from '../texts';

/** What every assistant is told before each of the user's conversations. It is kept when the field is left. */
export function Instructions(): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const [saved, setSaved] = useState<string>();
  const [text, setText] = useState('');
  useEffect(() => {
    const show = ({ instructions }: Settings): void => {
      setSaved(instructions ?? '');
      setText(instructions ?? '');
    };
    replica.client.settings().then(show).catch(() => {});
  }, [replica]);
  const save = async (): Promise<void> => {
    if (saved === undefined || text.trim() === saved) return;
    try {
      await replica.client.configureViewer({ instructions: text.trim() || null });
      setSaved(text.trim());
      notify(texts.settings.saved);
    } catch (error) {
      notify(texts.notices.failed(reason(error, texts)));
    }
  };
  return (
    <label className="instructions">
      {texts.settings.instructions}
      <textarea
        rows={4}
        dir="auto"
        disabled={saved === undefined}
        value={text}
        onChange={({ target }) => setText(target.value)}
        onBlur={() => void save()}
      />
    </label>
  );
}
