import type { SearchHit } from '@causerie/client';
import { useEffect, useState, type ReactElement, type ReactNode } from 'react';
import { useSession } from '../shared/replica';
import { address } from '../shared/route';
import { useTexts } from '../texts';

/** How long to wait for the next key before searching, in milliseconds. */
const PAUSE = 200;

/** What a search has found: messages and titles, best first. */
export function Search({ text }: { text: string }): ReactElement {
  const { replica } = useSession();
  const texts = useTexts();
  const [found, setFound] = useState<{ text: string; hits: readonly SearchHit[] }>();
  useEffect(() => {
    const leaving = new AbortController();
    const timer = setTimeout(() => {
      const search = replica.client.search(text, { first: 50 }, { signal: leaving.signal });
      search.then(({ nodes }) => setFound({ text, hits: nodes })).catch(() => {});
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      leaving.abort();
    };
  }, [replica, text]);

  return (
    <nav className="list" aria-label={texts.sidebar.search} aria-busy={found?.text !== text}>
      {found?.hits.length === 0 && <p className="hint" role="status">{texts.sidebar.noHits}</p>}
      <ul>
        {found?.hits.map(({ conversation, message, snippet }) => (
          <li key={message?.id ?? conversation.id} className="hit">
            <a href={address(message ? { conversation: conversation.id, message: message.id } : { conversation: conversation.id })}>
              <strong dir="auto">{conversation.title ?? texts.conversation.untitled}</strong>
              {message && <span dir="auto">{highlighted(snippet)}</span>}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function highlighted({ text, ranges, startsInside, endsInside }: SearchHit['snippet']): ReactNode {
  const shown: ReactNode[] = [];
  let at = 0;
  for (const { start, end } of ranges) {
    shown.push(text.slice(at, start), <mark key={start}>{text.slice(start, end)}</mark>);
    at = end;
  }
  return <>{startsInside && '… '}{shown}{text.slice(at)}{endsInside && ' …'}</>;
}
