import { repeated } from '../resume.js';
import type { Rows } from './rows.js';

/** Something that is loaded, and what was last shown of it. */
export interface Loading<Shown> {
  isLoaded: boolean;
  isLoading: boolean;
  error: unknown;
  snapshot: Shown | undefined;
}

export type Loader = ReturnType<typeof createLoader>;

export const UNLOADED = { isLoaded: false, isLoading: false, error: undefined, snapshot: undefined };

/** Loads, and tells of it. `ready` resolves once the feed is to bring what changes after that. */
export function createLoader(rows: Rows, notify: () => void, ready: () => Promise<void>) {
  function change<State extends Loading<unknown>>(state: State, to: Partial<State>): void {
    Object.assign(state, to, { snapshot: undefined });
    notify();
  }

  return {
    change,
    /** Reads something, unless that is under way. The reader is told when it has asked. */
    async load<State extends Loading<unknown>>(state: State, read: (askedAt: number) => Promise<Partial<State>>): Promise<void> {
      if (state.isLoading) return;
      change(state, { isLoading: true, error: undefined } as Partial<State>);
      try {
        await ready();
        change(state, { isLoading: false, ...(await repeated(() => read(rows.clock()))) });
      } catch (error) {
        change(state, { isLoading: false, error } as Partial<State>);
        throw error;
      }
    },
  };
}

/** Whether something is not there yet, and is to come. */
export const isComing = ({ isLoaded, isLoading, error }: Loading<unknown>) => isLoading || (!isLoaded && !error);
