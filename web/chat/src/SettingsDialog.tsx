import type { ReactElement } from 'react';
import { Instructions } from './assistants/Instructions';
import { Dialog } from './shared/Dialog';
import { change, useSettings, type Theme } from './shared/settings';
import { languages, useTexts } from './texts';
import { QuotaList } from './usage/QuotaList';

interface Props {
  users: readonly string[];
  userId: string;
  onUser: (id: string) => void;
  onSignOut: (() => void) | undefined;
  onClose: () => void;
}

export function SettingsDialog({ users, userId, onUser, onSignOut, onClose }: Props): ReactElement {
  const texts = useTexts();
  const { theme, language } = useSettings();
  return (
    <Dialog title={texts.settings.title} onClose={onClose}>
      <label>
        {texts.settings.theme}
        <select value={theme} onChange={({ target }) => change({ theme: target.value as Theme })}>
          {Object.entries(texts.settings.themes).map(([name, label]) => <option key={name} value={name}>{label}</option>)}
        </select>
      </label>
      <label>
        {texts.settings.language}
        <select value={language} onChange={({ target }) => change({ language: target.value })}>
          {Object.entries(languages).map(([tag, { language: name }]) => <option key={tag} value={tag} lang={tag}>{name}</option>)}
        </select>
      </label>
      <Instructions />
      <QuotaList />
      {users.length > 1 ? (
        <label>
          {texts.settings.user}
          <select value={userId} onChange={({ target }) => onUser(target.value)}>
            {users.map((id) => <option key={id}>{id}</option>)}
          </select>
        </label>
      ) : (
        <p>{texts.settings.user}: {userId}</p>
      )}
      <p className="links">
        <a href="graphiql">{texts.settings.graphiql}</a>
        {onSignOut && <button type="button" className="link" onClick={onSignOut}>{texts.settings.signOut}</button>}
      </p>
    </Dialog>
  );
}
