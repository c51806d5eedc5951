import type { JobMode } from '@python3-cluster/shared';

/** Users that own a slot while it is lent, by mode. */
export type SlotOwners = Readonly<Record<JobMode, number>>;
