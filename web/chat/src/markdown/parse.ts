import { Marked, type Token, type TokenizerExtension } from 'marked';

export interface MathToken {
  type: 'math';
  raw: string;
  text: string;
  display: boolean;
}

function math(level: 'block' | 'inline', begin: RegExp, rules: [pattern: RegExp, display: boolean][]): TokenizerExtension {
  return {
    name: 'math',
    level,
    start: (source) => begin.exec(source)?.index,
    tokenizer(source) {
      for (const [pattern, display] of rules) {
        const match = pattern.exec(source);
        if (match?.[1]) return { type: 'math', raw: match[0], text: match[1].trim(), display };
      }
      return undefined;
    },
  };
}

const marked = new Marked({
  gfm: true,
  extensions: [
    // Elsewhere than at the beginning of a line, it is a part of its paragraph.
    math('block', /(?<=\n)(?:\$\$|\\\[)/, [
      [/^\$\$([^$]+?)\$\$(?:\n|$)/, true],
      [/^\\\[([\s\S]+?)\\\](?:\n|$)/, true],
    ]),
    math('inline', /\$|\\[([]/, [
      [/^\$\$([^$\n]+?)\$\$/, true],
      [/^\\\[([\s\S]+?)\\\]/, true],
      [/^\\\(([\s\S]+?)\\\)/, false],
      // As Pandoc has it: no space within, and no digit after, so that prices stay prices.
      [/^\$(?!\s)([^$\n]*?[^\s$\\])\$(?!\d)/, false],
    ]),
  ],
});

/** A text's blocks. Each keeps its source, by which a block that has not changed is told. */
export function parse(text: string): Token[] {
  return marked.lexer(text).filter(({ type }) => type !== 'space' && type !== 'def');
}

const entities: Record<string, string> = {
  amp: '&', apos: "'", copy: '©', euro: '€', gt: '>', hellip: '…', laquo: '«', ldquo: '“', lsquo: '‘', lt: '<', mdash: '—',
  middot: '·', nbsp: '\u00a0', ndash: '–', quot: '"', raquo: '»', rarr: '→', rdquo: '”', rsquo: '’', times: '×',
};

/** The characters that a text's entities stand for, of those that people write. */
export function decode(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,8}));/gi, (entity, decimal, hexadecimal, name: string) => {
    if (name) return entities[name] ?? entity;
    const code = decimal ? Number(decimal) : parseInt(hexadecimal as string, 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : entity;
  });
}

/**
 * The direction of what has marks, borders or columns beside its text: that of its first letter. `dir="auto"` would not
 * look into paragraphs that have a `dir` of their own.
 */
export function directionOf(text: string): 'ltr' | 'rtl' {
  const letter = /\p{L}/u.exec(text)?.[0] ?? '';
  return /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/.test(letter) ? 'rtl' : 'ltr';
}

/** Where a link may lead: to pages and to mail. Anything else, such as `javascript:`, leads nowhere. */
export function target(address: string): URL | undefined {
  try {
    const url = new URL(decode(address));
    return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url : undefined;
  } catch {
    return undefined;
  }
}

/** What to add to a link's text that names another place than the one it leads to. */
export function disguise(text: string, url: URL): string | undefined {
  const named = /(?:^|\s|\/\/|@)((?:[\w-]+\.)+[a-z]{2,})/i.exec(text.normalize('NFKC'))?.[1];
  const host = url.protocol === 'mailto:' ? url.pathname.split('@').pop() : url.host;
  if (!named || !host) return undefined;
  const bare = (name: string): string => name.toLowerCase().replace(/^www\./, '');
  return bare(named) === bare(host) || bare(host).startsWith(`${bare(named)}:`) ? undefined : host;
}
