/**
 * `done`: it has its outcome, or has delivered it. `busy`: not started, and may wait on. `stopped`: ended because this node
 * stops, and may run elsewhere. `lost`: somebody else has it now. A point in time (epoch ms): it is not to be started before that.
 */
export type Processed = 'done' | 'busy' | 'stopped' | 'lost' | { readonly notBefore: number };
