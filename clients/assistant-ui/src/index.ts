export { useCauserieRuntime, type CauserieRuntimeOptions } from './runtime.js';
export { useCauserieMetadata, type CauserieMetadata } from './metadata.js';
export type { MessageWindow } from './window.js';
export { useReplica } from './replica.js';
