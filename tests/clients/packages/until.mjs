/** Resolves once a replica is as wanted. */
export function until(replica, isSo, limit = 20_000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`it has not come to ${isSo}, with status ${replica.status} ${replica.error ?? ''}`));
    }, limit);
    const look = () => {
      const found = isSo();
      if (!found) return;
      clearTimeout(timer);
      stop();
      resolve(found);
    };
    const stop = replica.subscribe(look);
    look();
  });
}

/** `localStorage`, as far as the outbox needs it. */
export class MemoryStorage {
  entries = new Map();
  get length() {
    return this.entries.size;
  }
  key(index) {
    return [...this.entries.keys()][index] ?? null;
  }
  getItem(name) {
    return this.entries.get(name) ?? null;
  }
  setItem(name, value) {
    this.entries.set(name, String(value));
  }
  removeItem(name) {
    this.entries.delete(name);
  }
}
