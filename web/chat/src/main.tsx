// The first: it takes the token out of the address, before anything else reads that.
import { isFramed } from './issuer';
import { createRoot } from 'react-dom/client';
import { takePlace } from './feed/places';
import { Page, type Opening } from './Page';

const opening = JSON.parse(document.getElementById('page')?.textContent || '{"users":[],"signIn":null}') as Opening;
const root = document.getElementById('chat');
if (root && !isFramed) void takePlace().then((hasPlace) => createRoot(root).render(<Page opening={opening} hasPlace={hasPlace} />));
