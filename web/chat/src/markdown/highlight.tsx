import { common, createLowlight } from 'lowlight';
import type { ReactNode } from 'react';

type Nodes = ReturnType<ReturnType<typeof createLowlight>['highlight']>['children'];
export type Highlight = (text: string, language: string) => ReactNode;

const lowlight = createLowlight(common);

/** Code with its words marked, or nothing if the language is not known. */
export const highlight: Highlight = (text, language) =>
  lowlight.registered(language) ? show(lowlight.highlight(language, text).children) : undefined;

function show(nodes: Nodes): ReactNode {
  return nodes.map((node, index) => {
    if (node.type === 'text') return node.value;
    if (node.type !== 'element') return null;
    const names = node.properties['className'];
    return <span key={index} className={Array.isArray(names) ? names.join(' ') : undefined}>{show(node.children as Nodes)}</span>;
  });
}
