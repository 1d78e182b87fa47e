'use client';

import { createAuthClient } from 'better-auth/react';
import { useState, type FormEvent } from 'react';
import { Chat } from './chat';

const auth = createAuthClient();

export default function Page() {
  const { data: session, isPending } = auth.useSession();
  if (isPending) return null;
  // Another user is another chat: nothing of the one before is kept.
  return session ? <Chat key={session.user.id} userId={session.user.id} onSignOut={() => void auth.signOut()} /> : <SignIn />;
}

function SignIn() {
  const [problem, setProblem] = useState<string>();
  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const values = new FormData(event.currentTarget);
    const [email, password] = [String(values.get('email')), String(values.get('password'))];
    const isNew = (event.nativeEvent as SubmitEvent).submitter?.getAttribute('value') === 'new';
    const { error } = isNew
      ? await auth.signUp.email({ email, password, name: email })
      : await auth.signIn.email({ email, password });
    setProblem(error?.message);
  }
  return (
    <form onSubmit={(event) => void submit(event)}>
      <input name="email" type="email" aria-label="Email" placeholder="Email" required />
      <input name="password" type="password" aria-label="Password" placeholder="Password" minLength={8} required />
      <button>Sign in</button> <button value="new">Sign up</button>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
}
