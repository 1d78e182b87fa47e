/**
 * How many tabs may hold an event stream at once. Without HTTP/2 a browser makes six connections to a server, for all
 * tabs together, and the requests need some of them.
 */
const PLACES = 2;

/** Takes a place for an event stream, for as long as the tab is there, if one is free. */
export async function takePlace(): Promise<boolean> {
  // A page without TLS has no locks, and no HTTP/2 either.
  if (!navigator.locks) return false;
  for (let place = 0; place < PLACES; place += 1) {
    const isTaken = await new Promise<boolean>((resolve) => {
      const request = navigator.locks.request(`causerie:stream:${place}`, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock && new Promise(() => {});
      });
      // Where the browser keeps nothing for the page, there are no locks either.
      request.catch(() => resolve(false));
    });
    if (isTaken) return true;
  }
  return false;
}
