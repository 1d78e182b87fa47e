export { useCauserieRuntime, type CauserieRuntimeOptions } from './runtime.js';
export { useReplica } from './replica.js';
