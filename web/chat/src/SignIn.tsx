import { useState, type FormEvent, type ReactElement } from 'react';
import { useTexts } from './texts';

/** Asks for a token. */
export function SignIn({ refused, onToken }: { refused: boolean; onToken: (token: string) => void }): ReactElement {
  const texts = useTexts();
  const [token, setToken] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (token.trim()) onToken(token.trim());
  };
  return (
    <main className="sign-in">
      <form onSubmit={submit}>
        <h1>{texts.signIn.title}</h1>
        <p>{texts.signIn.explain}</p>
        <label>
          {texts.signIn.token}
          <input type="password" autoComplete="off" value={token} onChange={({ target }) => setToken(target.value)} />
        </label>
        {refused && <p className="failed" role="alert">{texts.signIn.refused}</p>}
        <button type="submit" className="primary" disabled={!token.trim()}>{texts.signIn.submit}</button>
      </form>
    </main>
  );
}
