import { ClusterError, type OutcomeParts, type RunKind } from '@python3-cluster/shared';
import { RawJson, type JsonValue } from '../responses/raw-json';

/** How `result` is written: the value itself, or its text, as the predecessor did. */
export type ResultForm = 'json' | 'string';

/** The form a request asks for by header, else the configured one. */
export function readResultForm(header: string | readonly string[] | undefined, configured: ResultForm): ResultForm {
  if (header === undefined) return configured;
  if (header === 'json' || header === 'string') return header;
  throw new ClusterError('REQUEST_INVALID', "The header 'X-Python3-Legacy-Result' must be 'json' or 'string'.");
}

/** `result`: the value, else what statements printed, else null. */
export function toLegacyResult(kind: RunKind, { outcome, value, stdout }: OutcomeParts, form: ResultForm): JsonValue {
  if (outcome.hasValue) return form === 'json' ? new RawJson(value) : toTextForm(value);
  return kind === 'exec' && stdout.length > 0 ? stdout.toString('utf8') : null;
}

/** Strings stay as they are, null stays null; numbers, booleans and containers become their JSON text. */
export function toTextForm(value: Buffer): JsonValue {
  const text = value.toString('utf8').trim();
  return text === 'null' || text.startsWith('"') ? new RawJson(value) : text;
}
