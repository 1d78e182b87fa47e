import { Component, type ReactNode } from 'react';

interface Props<Place> {
  /** What the page has is read immediately before it changes, and restored in the same step. */
  hold: () => Place;
  restore: (place: Place) => void;
  /** What changes when the page does. */
  of: unknown;
}

/**
 * Keeps a place across a change of the page. A place that were remembered any sooner, in an event or while rendering,
 * would be out of date if the page is scrolled before the change is made; only a class is told of that moment.
 */
export class Anchor<Place> extends Component<Props<Place>> {
  override getSnapshotBeforeUpdate({ of }: Props<Place>): { place: Place } | null {
    return of === this.props.of ? null : { place: this.props.hold() };
  }

  override componentDidUpdate(_props: Props<Place>, _state: unknown, held: { place: Place } | null): void {
    if (held) this.props.restore(held.place);
  }

  override render(): ReactNode {
    return null;
  }
}
