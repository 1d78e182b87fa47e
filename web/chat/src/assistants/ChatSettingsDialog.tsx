import type { Parameters } from '@causerie/client';
import { useState, type FormEvent, type ReactElement } from 'react';
import { Dialog } from '../shared/Dialog';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import { useSession } from '../shared/replica';
import { useTexts } from '../texts';
import type { Assistant } from './Assistants';
import { Slider } from './Slider';
import type { ChatSettings } from './useChatSettings';

interface Props {
  conversation: string;
  settings: ChatSettings;
  assistant: Assistant | undefined;
  onClose: () => void;
}

/** How the assistant is to write in one conversation, within what it permits, and what it should heed there. */
export function ChatSettingsDialog({ conversation, settings, assistant, onClose }: Props): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const [parameters, setParameters] = useState<Parameters>(() => given(settings.parameters ?? {}));
  const [instructions, setInstructions] = useState(settings.instructions ?? '');
  const [problem, setProblem] = useState<string>();
  const set = (change: Parameters): void => setParameters((before) => given({ ...before, ...change }));

  const save = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    try {
      await replica.updateConversation({
        conversationId: conversation,
        parameters: Object.keys(parameters).length > 0 ? parameters : null,
        instructions: instructions.trim() || null,
      });
      notify(texts.settings.saved);
      onClose();
    } catch (error) {
      setProblem(texts.notices.failed(reason(error, texts)));
    }
  };

  const names = texts.chatSettings;
  const { temperature, topP, maxTokens, reasoningEfforts = [] } = assistant ?? {};
  return (
    <Dialog title={names.title} onClose={onClose}>
      <form className="chat-settings" onSubmit={(event) => void save(event)}>
        <label className="instructions">
          {names.instructions}
          <textarea rows={4} dir="auto" value={instructions} onChange={({ target }) => setInstructions(target.value)} />
        </label>
        {temperature && (
          <Slider label={names.temperature} range={temperature} value={parameters.temperature} onChange={(value) => set({ temperature: value })} />
        )}
        {topP && <Slider label={names.topP} range={topP} value={parameters.topP} onChange={(value) => set({ topP: value })} />}
        {maxTokens && (
          <Slider label={names.maxTokens} range={maxTokens} whole value={parameters.maxTokens} onChange={(value) => set({ maxTokens: value })} />
        )}
        {reasoningEfforts.length > 0 && (
          <label>
            {names.reasoningEffort}
            <select value={parameters.reasoningEffort ?? ''} onChange={({ target }) => set({ reasoningEffort: target.value || null })}>
              <option value="">{names.usual}</option>
              {reasoningEfforts.map((effort) => <option key={effort}>{effort}</option>)}
            </select>
          </label>
        )}
        {problem && <p className="failed" role="alert">{problem}</p>}
        <div className="buttons">
          <button type="button" onClick={onClose}>{texts.actions.cancel}</button>
          <button type="submit" className="primary">{texts.actions.keep}</button>
        </div>
      </form>
    </Dialog>
  );
}

/** The parameters that are set. */
function given(parameters: Parameters): Parameters {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value != null));
}
