import type { Token, Tokens } from 'marked';
import { memo, useMemo, type ReactElement, type ReactNode } from 'react';
import { useTexts } from '../texts';
import { Code } from './Code';
import { Formula } from './Formula';
import { decode, directionOf, disguise, parse, target, type MathToken } from './parse';

/**
 * A text in Markdown as elements of the page. No markup is taken over from the text: whatever is not one of the tokens
 * below is shown as it was written.
 */
export const Markdown = memo(function Markdown({ text }: { text: string }): ReactElement {
  const blocks = useMemo(() => parse(text), [text]);
  return (
    <div className="markdown" dir="auto">
      {blocks.map((token, index) => (
        // While a text grows, only its last block changes.
        <Block key={index} token={token} raw={token.raw} />
      ))}
    </div>
  );
});

const Block = memo(
  function Block({ token }: { token: Token; raw: string }): ReactNode {
    return show(token, 0);
  },
  (one, other) => one.raw === other.raw && one.token.type === other.token.type,
);

function all(tokens: Token[] | undefined): ReactNode {
  return tokens?.map(show);
}

function show(token: Token, key: number): ReactNode {
  const it = token as Tokens.Generic;
  switch (token.type) {
    case 'heading':
      return heading(it as Tokens.Heading, key);
    case 'paragraph':
      return <p key={key} dir="auto">{all(it.tokens)}</p>;
    case 'text':
      return it.tokens ? <span key={key}>{all(it.tokens)}</span> : decode(it['text'] as string);
    case 'strong':
      return <strong key={key}>{all(it.tokens)}</strong>;
    case 'em':
      return <em key={key}>{all(it.tokens)}</em>;
    case 'del':
      return <del key={key}>{all(it.tokens)}</del>;
    case 'codespan':
      return <code key={key} dir="ltr">{it['text']}</code>;
    case 'br':
      return <br key={key} />;
    case 'hr':
      return <hr key={key} />;
    case 'blockquote':
      return <blockquote key={key} dir={directionOf(it.raw)}>{all(it.tokens)}</blockquote>;
    case 'code':
      return <Code key={key} text={it['text'] as string} language={(it['lang'] as string | undefined)?.split(/\s/)[0]} />;
    case 'list':
      return list(it as Tokens.List, key);
    case 'table':
      return table(it as Tokens.Table, key);
    case 'link':
      return <Link key={key} token={it as Tokens.Link} />;
    case 'image':
      return <Image key={key} token={it as Tokens.Image} />;
    case 'math':
      return <Formula key={key} text={it['text'] as string} display={(token as MathToken).display} />;
    case 'escape':
      return it['text'] as string;
    case 'space':
    case 'def':
    case 'checkbox':
      return null;
    default:
      return token.raw;
  }
}

function heading({ depth, tokens }: Tokens.Heading, key: number): ReactElement {
  // The page has a heading of its own above those of a message.
  const Level = `h${Math.min(depth + 1, 6)}` as 'h2';
  return <Level key={key} className={`level-${depth}`} dir="auto">{all(tokens)}</Level>;
}

function list({ ordered, start, items, raw }: Tokens.List, key: number): ReactElement {
  const dir = directionOf(raw);
  const shown = items.map((item, index) => (
    <li key={index} className={item.task ? 'task' : undefined}>
      {item.task && <span className="box">{item.checked ? '☑' : '☐'}</span>}
      {all(item.tokens)}
    </li>
  ));
  return ordered ? <ol key={key} dir={dir} start={Number(start) || 1}>{shown}</ol> : <ul key={key} dir={dir}>{shown}</ul>;
}

function table({ header, align, rows, raw }: Tokens.Table, key: number): ReactElement {
  const side = (index: number): string | undefined => align[index] ?? undefined;
  return (
    <div key={key} className="wide" dir={directionOf(raw)} tabIndex={0}>
      <table>
        <thead>
          <tr>{header.map(({ tokens }, index) => <th key={index} className={side(index)} scope="col">{all(tokens)}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((row, line) => (
            <tr key={line}>{row.map(({ tokens }, index) => <td key={index} className={side(index)}>{all(tokens)}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Link({ token }: { token: Tokens.Link }): ReactElement {
  const url = target(token.href);
  if (!url) return <>{token.raw}</>;
  const elsewhere = disguise(token.text, url);
  return (
    <a href={url.href} title={url.href} target="_blank" rel="noopener noreferrer nofollow">
      {all(token.tokens)}
      {elsewhere && ` (${elsewhere})`}
    </a>
  );
}

/** Nothing is loaded from elsewhere, as that would tell others who reads what: an image is a link to itself. */
function Image({ token }: { token: Tokens.Image }): ReactElement {
  const texts = useTexts();
  const url = target(token.href);
  if (!url) return <>{token.raw}</>;
  return (
    <a href={url.href} title={url.href} target="_blank" rel="noopener noreferrer nofollow">
      [{texts.message.image}: {token.text || url.host}]
    </a>
  );
}
