// Firefox as Debian has it, by WebDriver BiDi: as much of it as the core of the page needs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { executable } from '../graphiql/browser.mjs';

/** How long anything may take: a browser's first start takes a while. */
const LIMIT = 30_000;
/** What Firefox would do beside the page, and where everything goes that is not on this machine. */
const settings = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
  'network.proxy.no_proxies_on': '127.0.0.1, localhost',
  'toolkit.telemetry.enabled': false,
  // A mouse, though there is none.
  'ui.allPointerCapabilities': 6,
  'ui.primaryPointerCapabilities': 6,
};

/** Starts Firefox without a window. */
export async function launchFirefox() {
  const profile = mkdtempSync(join(tmpdir(), 'causerie-firefox-'));
  const lines = Object.entries(settings).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
  writeFileSync(join(profile, 'user.js'), lines.join('\n'));
  const path = executable('FIREFOX', ['firefox-esr', 'firefox']);
  const child = spawn(path, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port=0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const end = async () => {
    const ended = child.exitCode === null && child.signalCode === null && once(child, 'exit');
    kill();
    await ended;
    process.removeListener('exit', kill);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    return await connect(child, end);
  } catch (error) {
    await end();
    throw error;
  }
}

async function connect(child, end) {
  const address = await new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (text) => {
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec((said += text));
      if (found) resolve(found[1]);
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`Firefox ended:\n${said}`)));
    setTimeout(() => reject(new Error(`Firefox has not started:\n${said}`)), LIMIT).unref();
  });
  const socket = new WebSocket(`${address}/session`);
  await once(socket, 'open');
  const browser = new Firefox(socket);
  await browser.send('session.new', { capabilities: {} });
  await browser.send('session.subscribe', { events: ['log.entryAdded', 'network.beforeRequestSent'] });
  return {
    open: (url) => browser.open(url),
    async close() {
      socket.close();
      await end();
    },
  };
}

class Firefox {
  #socket;
  #waiting = new Map();
  #last = 0;
  #tabs = new Map();

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (message.id) this.#waiting.get(message.id)?.(message);
      else if (message.method === 'log.entryAdded' && message.params.level === 'error') this.#note(message.params.source.context, message.params.text);
      else if (message.method === 'network.beforeRequestSent') {
        const { context, request } = message.params;
        if (!/^(http:\/\/127\.0\.0\.1:|data:|blob:)/.test(request.url)) this.#note(context, `request to ${request.url}`);
      }
    });
  }

  #note(context, fault) {
    this.#tabs.get(context)?.faults.push(fault);
  }

  async send(method, params) {
    const id = (this.#last += 1);
    const answer = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method} has not answered`)), LIMIT);
      this.#waiting.set(id, (message) => {
        clearTimeout(timer);
        resolve(message);
      });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
    this.#waiting.delete(id);
    if (answer.type === 'error') throw new Error(`${method}: ${answer.message}`);
    return answer.result;
  }

  async open(url) {
    const { context } = await this.send('browsingContext.create', { type: 'tab' });
    const tab = new Tab(this, context);
    this.#tabs.set(context, tab);
    await tab.goto(url);
    return tab;
  }
}

class Tab {
  faults = [];
  #firefox;
  #context;

  constructor(firefox, context) {
    this.#firefox = firefox;
    this.#context = context;
  }

  goto(url) {
    return this.#firefox.send('browsingContext.navigate', { context: this.#context, url, wait: 'complete' });
  }

  reload() {
    return this.#firefox.send('browsingContext.reload', { context: this.#context, wait: 'complete' });
  }

  close() {
    return this.#firefox.send('browsingContext.close', { context: this.#context });
  }

  /** What a function of the page returns, as JSON. */
  async evaluate(run, ...values) {
    const text = `async () => JSON.stringify((await (${run})(...${JSON.stringify(values)})) ?? null)`;
    const { result, exceptionDetails } = await this.#firefox.send('script.callFunction', {
      functionDeclaration: text,
      target: { context: this.#context },
      awaitPromise: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }

  /** Waits until a function of the page returns something that counts as true, and returns it. */
  async until(run, ...values) {
    for (const end = Date.now() + LIMIT; ; await delay(20)) {
      const found = await this.evaluate(run, ...values);
      if (found) return found;
      if (Date.now() > end) throw new Error(`in vain: ${run} ${JSON.stringify(values)}`);
    }
  }

  #act(actions) {
    return this.#firefox.send('input.performActions', { context: this.#context, actions });
  }

  async type(text) {
    const keys = [...text].flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]);
    await this.#act([{ type: 'key', id: 'keyboard', actions: keys }]);
  }

  /** Presses the middle of the last element that a selector finds, as a mouse does. */
  async click(selector) {
    const place = await this.until((it) => {
      const element = [...document.querySelectorAll(it)].at(-1);
      if (!element || element.disabled) return null;
      element.scrollIntoView({ block: 'nearest' });
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x: Math.round(x + width / 2), y: Math.round(y + height / 2) };
    }, selector);
    const press = [{ type: 'pointerMove', ...place }, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }];
    await this.#act([{ type: 'pointer', id: 'mouse', actions: press }]);
  }
}
