// Chromium with no way out: whatever is not on this machine's loopback goes to a proxy that is not there.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

/** The browser to use: what the environment names, else the first one in `PATH`. */
export function executable(variable, names) {
  const named = process.env[variable];
  if (named) return named;
  const places = process.env.PATH.split(delimiter).flatMap((directory) => names.map((name) => join(directory, name)));
  const found = places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  const kind = variable.toLowerCase();
  if (!found) throw new Error(`no ${kind} in PATH: run scripts/browser ${kind}, which installs Debian's, or set ${variable} to its path`);
  return found;
}

export function launch() {
  return chromium.launch({
    executablePath: executable('CHROMIUM', ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']),
    proxy: { server: 'http://127.0.0.1:9', bypass: '127.0.0.1,localhost' },
    args: ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  });
}

/** Opens an empty page and keeps what it must not do: requests to other hosts, errors, broken policies. */
export async function open(browser, origin, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const faults = [];
  context.on('request', (request) => {
    const url = new URL(request.url());
    const inside = url.origin === origin || url.protocol === 'data:' || url.protocol === 'blob:';
    if (!inside) faults.push(`request to ${url}`);
  });
  context.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  context.on('weberror', (error) => faults.push(`uncaught: ${error.error()}`));
  return { context, page: await context.newPage(), faults };
}
