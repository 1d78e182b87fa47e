/** Tells listeners of changes: at once, or a little later together with those that follow. */
export function createNotifier() {
  const listeners = new Set<() => void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const now = () => {
    clearTimeout(timer);
    timer = undefined;
    for (const listener of [...listeners]) listener();
  };
  return {
    now,
    soon() {
      timer ??= setTimeout(now, 16);
    },
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
