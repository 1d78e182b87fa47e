import type { ReactElement } from 'react';

/** Drawn on 24 × 24, with a stroke of 2. */
const paths = {
  archive: 'M4 4h16v4H4zM6 8v12h12V8M10 12h4',
  arrowDown: 'M12 5v14M6 13l6 6 6-6',
  arrowUp: 'M12 19V5M6 11l6-6 6 6',
  check: 'M5 12l5 5 9-10',
  chat: 'M4 5h16v11H9l-5 4z',
  close: 'M6 6l12 12M18 6L6 18',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  down: 'M7 3v11M7 4h9.5a2 2 0 0 1 2 1.6l1.2 6a2 2 0 0 1-2 2.4H13l1 4.5a1.6 1.6 0 0 1-3 1L7 14H4V4h3',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  fork: 'M6 4v16M6 12h6a5 5 0 0 0 5-5V4M14 7l3-3 3 3',
  gear: 'M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6M10.4 5.2L10.7 2.7L13.3 2.7L13.6 5.2L15.7 6.1L17.7 4.5L19.5 6.3L17.9 8.3L18.8 10.4L21.3 10.7L21.3 13.3L18.8 13.6L17.9 15.7L19.5 17.7L17.7 19.5L15.7 17.9L13.6 18.8L13.3 21.3L10.7 21.3L10.4 18.8L8.3 17.9L6.3 19.5L4.5 17.7L6.1 15.7L5.2 13.6L2.7 13.3L2.7 10.7L5.2 10.4L6.1 8.3L4.5 6.3L6.3 4.5L8.3 6.1z',
  left: 'M14 6l-6 6 6 6',
  menu: 'M4 7h16M4 12h16M4 17h16',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  new: 'M12 5v14M5 12h14',
  pin: 'M9 4h6l-1 6 4 3v2H6v-2l4-3zM12 15v6',
  refresh: 'M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6',
  restore: 'M4 5v6h6M4.6 11a8 8 0 1 1 1.7 6.3',
  right: 'M10 6l6 6-6 6',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16 16l5 5',
  settings: 'M4 8h8M18 8h2M4 16h2M12 16h8M12 8a3 3 0 1 0 6 0 3 3 0 0 0-6 0M6 16a3 3 0 1 0 6 0 3 3 0 0 0-6 0',
  stop: 'M7 7h10v10H7z',
  trash: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13',
  up: 'M7 21V10M7 20h9.5a2 2 0 0 0 2-1.6l1.2-6a2 2 0 0 0-2-2.4H13l1-4.5a1.6 1.6 0 0 0-3-1L7 10H4v10h3',
};

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }): ReactElement {
  return (
    <svg className="drawing" viewBox="0 0 24 24" width="18" height="18" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
