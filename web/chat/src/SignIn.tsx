import { useState, type FormEvent, type ReactElement } from 'react';
import { useTexts } from './texts';

interface Props {
  problem: 'refused' | 'unreachable' | undefined;
  /** Goes where tokens are given, if the operator has said where that is. */
  onLeave: (() => void) | undefined;
  onToken: (token: string) => void;
}

/** Asks for a token. */
export function SignIn({ problem, onLeave, onToken }: Props): ReactElement {
  const texts = useTexts();
  const [token, setToken] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (onLeave) onLeave();
    else if (token.trim()) onToken(token.trim());
  };
  return (
    <main className="sign-in">
      <form onSubmit={submit}>
        <h1>{texts.signIn.title}</h1>
        {!onLeave && (
          <>
            <p>{texts.signIn.explain}</p>
            <label>
              {texts.signIn.token}
              <input type="password" autoComplete="off" value={token} onChange={({ target }) => setToken(target.value)} />
            </label>
          </>
        )}
        {problem && <p className="failed" role="alert">{texts.signIn[problem]}</p>}
        <button type="submit" className="primary" disabled={!onLeave && !token.trim()}>{texts.signIn.submit}</button>
      </form>
    </main>
  );
}
