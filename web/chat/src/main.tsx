import { createRoot } from 'react-dom/client';
import { Page, type DevUser } from './Page';

const opening = JSON.parse(document.getElementById('page')?.textContent || '{"users":[]}') as { users: DevUser[] };
const root = document.getElementById('chat');
if (root) createRoot(root).render(<Page users={opening.users} />);
