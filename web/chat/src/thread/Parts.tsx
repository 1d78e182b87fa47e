import type { ReasoningMessagePartProps, ToolCallMessagePartProps } from '@assistant-ui/react';
import { useCauserieMetadata } from '@causerie/assistant-ui';
import type { ReactElement } from 'react';
import { Markdown } from '../markdown/Markdown';
import { MessagePrimitive } from '../primitives';
import { useTexts } from '../texts';

function Reasoning({ text, status }: ReasoningMessagePartProps): ReactElement {
  const texts = useTexts();
  const { message } = useCauserieMetadata();
  // assistant-ui has no place for when it began and ended.
  const row = message?.parts.find((part) => part.__typename === 'ReasoningPart' && part.text === text);
  const { startedAt, finishedAt } = row?.__typename === 'ReasoningPart' ? row : {};
  const seconds = startedAt && finishedAt ? Math.round((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000) : 0;
  return (
    <details className="aside">
      <summary>{status.type === 'running' && !finishedAt ? texts.message.thinking : texts.message.thought(seconds)}</summary>
      <Markdown text={text} />
    </details>
  );
}

function ToolCall({ toolName, argsText }: ToolCallMessagePartProps): ReactElement {
  const texts = useTexts();
  return (
    <details className="aside">
      <summary>{texts.message.tool(toolName)}</summary>
      <pre dir="ltr" tabIndex={0}><code>{argsText}</code></pre>
    </details>
  );
}

const COMPONENTS = {
  Text: ({ text }: { text: string }) => <Markdown text={text} />,
  Reasoning,
  tools: { Override: ToolCall },
  Empty: () => null,
};

/** What the assistant has written. */
export const Parts = (): ReactElement => <MessagePrimitive.Parts components={COMPONENTS} unstable_showEmptyOnNonTextEnd={false} />;
