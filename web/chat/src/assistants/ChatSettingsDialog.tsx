import type { Assistant, Parameters, Settings } from '@causerie/client';
import { useState, type FormEvent, type ReactElement } from 'react';
import { Dialog } from '../shared/Dialog';
import { moveDraft, NEW } from '../shared/drafts';
import { notify } from '../shared/notices';
import { reason } from '../shared/reason';
import { useSession } from '../shared/replica';
import { go } from '../shared/route';
import { useTexts } from '../texts';
import { Slider } from './Slider';

interface Props {
  /** Without one, the settings begin a conversation, which has them from its first message on. */
  conversation: string | undefined;
  settings: Settings | undefined;
  assistant: Assistant | undefined;
  onClose: () => void;
}

/** How the assistant is to write in one conversation, within what it permits, and what it should heed there. */
export function ChatSettingsDialog({ conversation, settings, assistant, onClose }: Props): ReactElement {
  const { replica, userId } = useSession();
  const texts = useTexts();
  const [parameters, setParameters] = useState<Parameters>(() => given(settings?.parameters ?? {}));
  const [instructions, setInstructions] = useState(settings?.instructions ?? '');
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const set = (change: Parameters): void => setParameters((before) => given({ ...before, ...change }));

  const store = async (): Promise<void> => {
    const chosen = {
      parameters: Object.keys(parameters).length > 0 ? parameters : undefined,
      instructions: instructions.trim() || undefined,
    };
    if (conversation) {
      const { parameters = null, instructions = null } = chosen;
      await replica.updateConversation({ conversationId: conversation, parameters, instructions });
    } else if (chosen.parameters || chosen.instructions) {
      const { id } = await replica.client.createConversation(chosen);
      moveDraft(userId, NEW, id);
      go({ conversation: id });
    } else return;
    notify(texts.settings.saved);
  };
  const save = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    try {
      await store();
      onClose();
    } catch (error) {
      setBusy(false);
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
          <button type="submit" className="primary" disabled={busy}>{texts.actions.keep}</button>
        </div>
      </form>
    </Dialog>
  );
}

/** The parameters that are set. */
function given(parameters: Parameters): Parameters {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value != null));
}
