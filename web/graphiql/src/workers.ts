// Written by the build: the workers' file names, which hold a hash of their content.
declare const WORKERS: Record<'editor' | 'graphql' | 'json', string>;

function url(label: string): URL {
  const name = label === 'graphql' || label === 'json' ? label : 'editor';
  return new URL(WORKERS[name], import.meta.url);
}

Object.assign(globalThis, {
  MonacoEnvironment: { getWorker: (_id: string, label: string) => new Worker(url(label), { name: label }) },
});
