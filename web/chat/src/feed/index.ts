import { createClient, type Client } from '@causerie/client';
import { Subscription } from './socket';

/** How long an event stream may bring nothing before a socket takes its place, in milliseconds. */
const BLOCKED_AFTER = 8000;

/**
 * A client of the server that has served the page. Its feed comes by an event stream if this tab has a place for one,
 * else by a socket; and by the other of the two where one does not get through though requests do.
 */
export function createPageClient(token: (refused: boolean) => string | Promise<string>, hasPlace: boolean): Client {
  const url = new URL('graphql', document.baseURI).href;
  const iterate = (request: ConstructorParameters<typeof Subscription>[0]): Subscription => new Subscription(request, { url, token });
  return createClient({ url, token, iterate, blockedAfter: hasPlace ? BLOCKED_AFTER : 0 });
}
