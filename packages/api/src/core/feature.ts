import type { Core } from './core';
import type { Handle, Operation } from './operation';

/** What one feature offers over HTTP: its operations as data, and how to make their handlers. */
export interface Feature<Name extends string = string> {
  /** First part of the ids of its operations: `alerts` in `alerts.acknowledge`. */
  readonly name: string;
  readonly operations: Readonly<Record<Name, Operation>>;
  readonly create: (core: Core) => Readonly<Record<Name, Handle>>;
}

/** Holds the names of operations and handlers against each other. */
export const defineFeature = <const Name extends string>(feature: Feature<Name>): Feature<Name> => feature;

export interface NamedOperation extends Operation {
  /** e.g. `alerts.acknowledge`; unique. */
  readonly id: string;
}

/** All operations of features, in their order, with their ids. */
export function listOperations(features: readonly Feature[]): NamedOperation[] {
  return features.flatMap(({ name, operations }) =>
    Object.entries(operations).map(([key, operation]) => ({ ...operation, id: `${name}.${key}` })),
  );
}
