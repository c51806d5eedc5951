import type { Handle, Operation } from './operation';

/** What one feature offers over HTTP: its operations as data, and how to make their handlers of the parts it needs. */
export interface Feature<Parts, Name extends string = string> {
  /** First part of the ids of its operations: `alerts` in `alerts.acknowledge`. */
  readonly name: string;
  readonly operations: Readonly<Record<Name, Operation>>;
  readonly create: (parts: Parts) => Readonly<Record<Name, Handle>>;
}

/** Holds the names of operations and handlers against each other. */
export const defineFeature = <Parts, const Name extends string>(feature: Feature<Parts, Name>): Feature<Parts, Name> => feature;

export interface NamedOperation extends Operation {
  /** e.g. `alerts.acknowledge`; unique. */
  readonly id: string;
}

/** All operations of features, in their order, with their ids. */
export function listOperations(features: readonly Feature<never>[]): NamedOperation[] {
  return features.flatMap(({ name, operations }) =>
    Object.entries(operations).map(([key, operation]) => ({ ...operation, id: `${name}.${key}` })),
  );
}
