/** What the server tells the page. */
export interface Page {
  /** A ready bearer token, in development only. */
  token: string | null;
}

/** Reads what the server wrote into the page. */
export function readPage(): Page {
  return JSON.parse(document.getElementById('page')?.textContent || '{"token":null}') as Page;
}

/** What the headers editor shows at first: signed in, or a place for a token. */
export function headerTemplate({ token }: Page): string {
  return JSON.stringify({ Authorization: `Bearer ${token ?? ''}` }, null, 2);
}
