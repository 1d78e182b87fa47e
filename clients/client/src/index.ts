export { createClient } from './client.js';
export { CauserieError } from './error.js';
export type * from './interface.js';
export type * from './types.js';
