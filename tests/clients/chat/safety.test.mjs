// No message can run script, load or style anything, or lead elsewhere than it says.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setUp } from './chat.mjs';

let site, chat;
before(async () => {
  site = await setUp({ CAUSERIE_ECHO_DELAY: '0ms' });
  chat = await site.tab();
});
after(async () => {
  await chat?.close();
  await site?.close();
});

/** What is to stay text: markup, and addresses of kinds that run or load something. */
const hostile = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<img src="http://elsewhere.example/pixel.png">',
  '<svg onload=alert(1)><animate onbegin=alert(1) attributeName=x dur=1s></svg>',
  '<svg><script href="data:text/javascript,alert(1)" /></svg>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  '<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)></form>',
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  '<iframe src="javascript:alert(1)"></iframe>',
  '<object data="data:text/html,<script>alert(1)</script>"></object>',
  '<embed src="javascript:alert(1)">',
  '<style>* { display: none }</style>',
  '<link rel=stylesheet href=http://elsewhere.example/style.css>',
  '<base href="http://elsewhere.example/">',
  '<meta http-equiv=refresh content="0;url=http://elsewhere.example/">',
  '<a href="javascript:alert(1)">click</a>',
  '<details open ontoggle=alert(1)>',
  '<input autofocus onfocus=alert(1)>',
  '<video><source onerror=alert(1)></video>',
  '<body onload=alert(1)>',
  '<div style="background:url(http://elsewhere.example/)">',
  '<template><script>alert(1)</script></template>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<xmp><p title="</xmp><img src=x onerror=alert(1)>">',
  '[click](javascript:alert(1))',
  '[click](JaVaScRiPt:alert(1))',
  '[click](java&#115;cript:alert(1))',
  '[click](javascript&colon;alert(1))',
  '[click](<java\tscript:alert(1)>)',
  '[click](\u0001javascript:alert(1))',
  '[click](vbscript:msgbox(1))',
  '[click](data:text/html,<script>alert(1)</script>)',
  '[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)',
  '[click](blob:http://127.0.0.1/1)',
  '[click](file:///etc/passwd)',
  '<javascript:alert(1)>',
  '![x](javascript:alert(1))',
  '![x](data:image/svg+xml,<svg onload=alert(1)>)',
  '![pixel](http://elsewhere.example/pixel.png)',
  '[x]: javascript:alert(1)\n[x]',
  '`<script>alert(1)</script>`',
  '```html"onmouseover="alert(1)\n<script>alert(1)</script>\n```',
  '| <img src=x onerror=alert(1)> | b |\n|---|---|\n| <script>alert(1)</script> | [c](javascript:alert(1)) |',
  '# <img src=x onerror=alert(1)>',
  '$$\\href{javascript:alert(1)}{x}$$',
  '$$\\url{javascript:alert(1)}$$',
  '$$\\includegraphics{http://elsewhere.example/pixel.png}$$',
  '$$\\htmlStyle{background:url(http://elsewhere.example/)}{x}$$',
  '$$\\htmlData{x=1}{y} \\htmlId{chat}{z} \\htmlClass{viewport}{w}$$',
  '$$\\def\\a{\\a\\a}\\a$$',
  '<!--><script>alert(1)</script>-->',
  '<![CDATA[<script>alert(1)</script>]]>',
  '{{constructor.constructor("alert(1)")()}}',
];

test('a corpus of hostile messages runs nothing, loads nothing, and styles nothing', async () => {
  const { page, context } = chat;
  const ran = [];
  await context.exposeFunction('alert', (value) => ran.push(value));
  await context.addInitScript(() => {
    globalThis.refused = [];
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      globalThis.refused.push(`${violatedDirective} ${blockedURI}`);
    });
  });
  await page.reload();
  const harmless = [
    'a', 'annotation', 'br', 'button', 'code', 'div', 'figcaption', 'figure', 'h2', 'hr', 'math', 'merror', 'mi', 'mn', 'mo', 'mrow',
    'mspace', 'mstyle', 'mtext', 'p', 'path', 'pre', 'semantics', 'span', 'svg', 'table', 'tbody', 'td', 'th', 'thead', 'tr',
  ];
  // As many at a time as the page holds.
  for (let from = 0; from < hostile.length; from += 25) {
    let id;
    for (const text of hostile.slice(from, from + 25)) id = await site.say(text, id);
    await page.goto(`${site.server.url}/#/c/${id}`);
    await chat.said.filter({ hasText: hostile[from] }).first().waitFor();
    const found = await chat.replies.evaluateAll((replies) => {
      const elements = replies.flatMap((reply) => [...reply.querySelectorAll('.markdown *')]);
      const attributes = elements.flatMap((it) => [...it.attributes]);
      const doubtful = ({ name, value }) => /^(on|src|id$|action|xlink)/.test(name) || /script:|url\(/i.test(value);
      return {
        kinds: [...new Set(elements.map((it) => it.localName))],
        attributes: attributes.filter(doubtful).map(({ name, value }) => `${name}=${value}`),
        links: elements.filter((it) => it.localName === 'a').map((it) => it.href),
      };
    });
    assert.deepEqual(found.kinds.filter((kind) => !harmless.includes(kind)), []);
    assert.deepEqual(found.attributes, []);
    assert.deepEqual(found.links.filter((link) => !link.startsWith('http://elsewhere.example/')), []);
    // What looks like a link is pressed, too.
    for (const click of await chat.replies.getByText('click').all()) await click.click();
  }
  assert.deepEqual(ran, []);
  assert.deepEqual(await page.evaluate(() => globalThis.refused), [], 'nothing had to be refused by the policy');
  assert.deepEqual(chat.faults, []);
});

test('a link that names another host than its own shows where it leads', async () => {
  const shown = async (text) => (await chat.ask(text)).locator('a').first().innerText();
  assert.equal(await shown('[https://bank.example](https://thief.example/x)'), 'https://bank.example (thief.example)');
  assert.equal(await shown('[bank.example/login](https://bank.example.thief.example)'), 'bank.example/login (bank.example.thief.example)');
  assert.equal(await shown('[ｂａｎｋ．ｅｘａｍｐｌｅ](https://thief.example)'), 'ｂａｎｋ．ｅｘａｍｐｌｅ (thief.example)');
  assert.equal(await shown('[www.bank.example](https://bank.example/)'), 'www.bank.example');
  assert.equal(await shown('[the bank](https://bank.example/)'), 'the bank');
});

test('a title cannot carry markup into the list either', async () => {
  const { page } = chat;
  await page.goto(`${site.server.url}/#/`);
  await chat.ask('<img src=x onerror=alert(1)><b>bold</b>');
  await chat.entries.filter({ hasText: '<img src=x onerror=alert(1)><b>bold</b>' }).waitFor();
});
