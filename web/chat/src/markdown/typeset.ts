import katex from 'katex';

/** Typesets a formula into an element, without links, styles or images of its own; `false` if it has a mistake. */
export function render(text: string, element: HTMLElement, displayMode: boolean): boolean {
  try {
    katex.render(text, element, { displayMode, maxExpand: 200, maxSize: 20, output: 'mathml', strict: 'ignore', trust: false });
    return true;
  } catch {
    element.replaceChildren();
    return false;
  }
}
