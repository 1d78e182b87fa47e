import type { Conversation } from '@causerie/client';
import type { Texts } from '../texts';

export interface Group {
  label: string;
  conversations: Conversation[];
}

const DAY = 86_400_000;

/** Conversations, pinned first and then most recently updated first, by when that was. */
export function group(conversations: readonly Conversation[], texts: Texts, language: string, now = new Date()): Group[] {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const month = new Intl.DateTimeFormat(language, { month: 'long', year: 'numeric' });
  const labels = texts.sidebar.groups;
  const label = ({ pinnedAt, updatedAt }: Conversation): string => {
    if (pinnedAt) return labels.pinned;
    const time = Date.parse(updatedAt);
    if (time >= midnight) return labels.today;
    if (time >= midnight - DAY) return labels.yesterday;
    if (time >= midnight - 7 * DAY) return labels.week;
    if (time >= midnight - 30 * DAY) return labels.month;
    return month.format(time);
  };
  const groups: Group[] = [];
  for (const conversation of conversations) {
    const name = label(conversation);
    const last = groups.at(-1);
    if (last?.label === name) last.conversations.push(conversation);
    else groups.push({ label: name, conversations: [conversation] });
  }
  return groups;
}
