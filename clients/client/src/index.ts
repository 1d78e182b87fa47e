export { createClient } from './client.js';
export { CauserieError } from './error.js';
export { createReplica } from './replica/index.js';
export type * from './interface.js';
export type * from './types.js';
