import { formatPosition, parsePosition, type OutputPosition } from '../jobs/output-position';

/**
 * Watching a job's output while it runs. Nothing of it is kept in Redis, and a job that nobody watches costs nothing: the
 * worker node that runs it holds what it has printed so far, bounded, for the outcome anyway.
 *
 *   API replica ──watch: "job J; I have everything up to here"──▶ lane's watch channel ──▶ every worker node of the lane
 *                                                                                           │ the one that runs J,
 *        ◀──one sealed message: attempt, offsets, what follows── the replica's output channel ◀──┘ at once or when it prints
 *        └──watch: "now up to here"──▶ that node's own watch channel ──▶ …
 *
 * A watch is a lease good for one message of bounded size: whoever takes nothing is sent nothing, and a node cannot be made
 * to publish without end. The replica renews it every `WATCH_RENEW_MS`, on the lane's channel, and the node forgets it after
 * `WATCH_LEASE_MS`. Redis may drop both kinds of message; the offsets show it, and the next renewal asks again. All who
 * watch a job through one replica share its watches: one per place they have reached.
 *
 * A watch is not sealed and needs no authority: it names the replica, never a channel, and what comes of it is output for
 * which the replica checks its callers' rights. A message is sealed by the node; one that is not is not believed.
 */
export interface OutputWatch {
  readonly jobId: string;
  readonly replicaId: string;
  readonly position: OutputPosition;
}

/** `<job id> <replica id> <position>` */
export const formatWatch = ({ jobId, replicaId, position }: OutputWatch): string => `${jobId} ${replicaId} ${formatPosition(position)}`;

/** undefined where the text is none that `formatWatch` writes. */
export function parseWatch(text: string): OutputWatch | undefined {
  if (text.length > MAX_WATCH_CHARACTERS) return undefined;
  const match = /^([a-z0-9.-]+) ([a-z0-9-]{1,64}) ([0-9.]+)$/.exec(text);
  const position = match?.[3] === undefined ? undefined : parsePosition(match[3]);
  if (match?.[1] === undefined || match[2] === undefined || position === undefined) return undefined;
  return { jobId: match[1], replicaId: match[2], position };
}

/** Longer than any job id, replica id and position together. */
const MAX_WATCH_CHARACTERS = 256;
