import { useChat } from '@ai-sdk/react';
import { createChatTransport, type CauserieMetadata } from '@causerie/ai-sdk';
import { CauserieError } from '@causerie/client';
import type { UIMessage } from 'ai';
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

const parameters = new URLSearchParams(location.hash.slice(1));
const id = parameters.get('chat')!;
const transport = createChatTransport<UIMessage<CauserieMetadata>>({ url: parameters.get('url')!, token: () => parameters.get('token')! });

function Chat({ stored }: { stored: UIMessage<CauserieMetadata>[] }) {
  const { messages, sendMessage, regenerate, stop, status, error } = useChat({ id, messages: stored, transport, resume: true });
  const [text, setText] = useState('');
  return (
    <main data-status={status}>
      {messages.map((message) => (
        <section key={message.id} className={`message ${message.role}`} data-id={message.id}>
          <div className="text">{message.parts.map((part) => (part.type === 'text' ? part.text : ''))}</div>
          <div className="reasoning">{message.parts.map((part) => (part.type === 'reasoning' ? part.text : ''))}</div>
          <div className="tools">{message.parts.map((part) => (part.type === 'dynamic-tool' ? part.toolName : ''))}</div>
          <span className="metadata">{message.metadata?.status} {message.metadata?.siblingCount}</span>
          {message.role === 'user' && (
            <button onClick={() => void sendMessage({ text, messageId: message.id })}>Edit</button>
          )}
        </section>
      ))}
      <p className="error">{error instanceof CauserieError && error.code} {error?.message}</p>
      <input className="input" value={text} onChange={(event) => setText(event.target.value)} />
      <button onClick={() => void sendMessage({ text })}>Send</button>
      <button onClick={() => void regenerate()}>Regenerate</button>
      <button onClick={() => void stop()}>Stop</button>
    </main>
  );
}

function App() {
  const [stored, setStored] = useState<UIMessage<CauserieMetadata>[]>();
  const [error, setError] = useState<unknown>();
  useEffect(() => void transport.history(id).then(setStored, setError), []);
  if (error instanceof CauserieError) return <p className="error">{error.code}</p>;
  return stored && <Chat stored={stored} />;
}

createRoot(document.querySelector('#app')!).render(<StrictMode><App /></StrictMode>);
