import { CauserieError, createClient } from '@causerie/client';
import { createReplica } from '@causerie/client/replica';
import { useEffect, useMemo, useState, type ReactElement } from 'react';
import { AssistantsProvider } from './assistants/Assistants';
import { Chat } from './Chat';
import { createPageClient } from './feed';
import { leaveForToken, renewToken, token } from './issuer';
import { Runtime } from './Runtime';
import { SessionContext, type Session } from './shared/replica';
import { go } from './shared/route';
import { useSettings } from './shared/settings';
import { SettingsDialog } from './SettingsDialog';
import { SignIn } from './SignIn';
import { Tokens } from './tokens';
import { Quotas } from './usage/quotas';
import { languages, TextsContext } from './texts';
import { en } from './texts/en';

/** As whom the server signs the page in by itself, in development only. */
export interface DevUser {
  id: string;
  token: string;
}

/** What the server opens the page with. */
export interface Opening {
  users: DevUser[];
  /** Where to go for a token. */
  signIn: string | null;
}

/** Who this tab is, of the developer's users: another tab may be another one. */
const CHOICE = 'causerie:user';

interface Props {
  opening: Opening;
  /** Whether this tab has a place for an event stream. */
  hasPlace: boolean;
}

export function Page({ opening: { users, signIn: issuer }, hasPlace }: Props): ReactElement {
  const { language } = useSettings();
  const [user, setUser] = useState(() => users.find(({ id }) => id === sessionStorage.getItem(CHOICE)) ?? users[0]);
  const [problem, setProblem] = useState<'refused' | 'unreachable'>();
  const [settings, setSettings] = useState(false);

  const session = useMemo<Session | undefined>(() => {
    if (!user) return undefined;
    const tokens = new Tokens(user.id, user.token, issuer !== null && !users.includes(user) ? () => renewToken(issuer) : undefined);
    const client = createPageClient(tokens.get, hasPlace);
    const storagePrefix = `causerie:${user.id}:outbox:`;
    const replica = createReplica({ client, storage: localStorage, storagePrefix });
    return { userId: user.id, tokens, replica, quotas: new Quotas(client) };
  }, [user]);

  useEffect(() => {
    if (!session) return;
    const { replica, tokens } = session;
    const unsubscribe = replica.subscribe(() => {
      if (replica.status !== 'signed-out') return;
      setProblem('refused');
      setUser(undefined);
    });
    const wake = (): void => {
      if (document.visibilityState === 'visible' && replica.status === 'offline') replica.reconnect();
    };
    replica.start();
    // The feed ends with the token that it was opened with.
    tokens.start(() => replica.reconnect());
    addEventListener('online', wake);
    document.addEventListener('visibilitychange', wake);
    return () => {
      unsubscribe();
      removeEventListener('online', wake);
      document.removeEventListener('visibilitychange', wake);
      tokens.stop();
      replica.stop();
    };
  }, [session]);

  const signIn = async (token: string): Promise<void> => {
    try {
      const client = createClient({ url: new URL('graphql', document.baseURI).href, token });
      const { id } = await client.viewer();
      setProblem(undefined);
      setUser({ id, token });
    } catch (error) {
      if (!(error instanceof CauserieError)) throw error;
      setProblem(error.code === 'UNAUTHENTICATED' ? 'refused' : 'unreachable');
    }
  };
  // Who has just come from signing in is signed in; anybody else goes there at once, unless their token was refused.
  useEffect(() => {
    if (user) return;
    if (token) void signIn(token);
    else if (issuer) leaveForToken(issuer);
  }, []);
  const change = (id: string): void => {
    sessionStorage.setItem(CHOICE, id);
    go({});
    setSettings(false);
    setUser(users.find((it) => it.id === id));
  };

  return (
    <TextsContext value={languages[language] ?? en}>
      {session ? (
        <SessionContext value={session}>
          <AssistantsProvider key={session.userId}>
            <Runtime>
              <Chat onSettings={() => setSettings(true)} />
            </Runtime>
            {settings && (
              <SettingsDialog
                users={users.map(({ id }) => id)}
                userId={session.userId}
                onUser={change}
                onSignOut={users.length > 0 ? undefined : () => {
                  setSettings(false);
                  setUser(undefined);
                }}
                onClose={() => setSettings(false)}
              />
            )}
          </AssistantsProvider>
        </SessionContext>
      ) : (
        <SignIn
          problem={problem}
          onLeave={issuer === null ? undefined : () => leaveForToken(issuer)}
          onToken={(pasted) => void signIn(pasted)}
        />
      )}
    </TextsContext>
  );
}
