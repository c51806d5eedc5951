import { expect, it } from '@jest/globals';
import { ClusterError, type Job } from '@python3-cluster/shared';
import type { JobOrder } from './build-job';
import { dispatchOnce, type OnceTools } from './dispatch-once';
import type { Standing } from './idempotency-records';
import type { JobRecord } from './outcome-store';

const ORDER = { owner: 'o', request: { lane: 'default' } } as unknown as JobOrder;
const ASKED = { key: 'k', fingerprint: 'f' };
const RECORD = { job: { id: 'default.first' } } as unknown as JobRecord;
const STANDING: Standing = {
  reservation: { owner: 'o', key: 'k', fingerprint: 'f', jobId: 'default.first' },
  state: 'reserved',
  ageMs: 10,
};

interface Scene {
  /** What each look at the key finds; the last one stays. */
  readonly standings: (Standing | undefined)[];
  readonly record?: JobRecord;
  readonly dispatchError?: Error;
}

function play({ standings, record, dispatchError }: Scene): { tools: OnceTools; did: string[] } {
  const did: string[] = [];
  const tools = {
    dispatcher: {
      dispatch: (order: JobOrder) => {
        did.push(`dispatch ${order.jobId === 'default.first' ? 'first' : 'own'}`);
        return dispatchError ? Promise.reject(dispatchError) : Promise.resolve({ job: { id: order.jobId } as Job, reply: undefined });
      },
    },
    store: { readRecord: () => Promise.resolve(record) },
    idempotency: {
      reserve: () => Promise.resolve(standings.length > 1 ? standings.shift() : standings[0]),
      confirm: () => did.push('confirm'),
      release: () => Promise.resolve(did.push('release')),
    },
  };
  return { tools: tools as unknown as OnceTools, did };
}

it.each<[string, Scene, string[], string]>([
  ['a free key queues and is confirmed', { standings: [undefined] }, ['dispatch own', 'confirm'], 'dispatched'],
  ['a job that was not queued frees its key', { standings: [undefined], dispatchError: new ClusterError('QUEUE_FULL') }, ['dispatch own', 'release'], 'QUEUE_FULL'],
  ['a job that may be queued keeps it', { standings: [undefined], dispatchError: new ClusterError('QUEUE_UNCERTAIN') }, ['dispatch own'], 'QUEUE_UNCERTAIN'],
  ['an accepted job is answered with', { standings: [{ ...STANDING, state: 'accepted' }], record: RECORD }, [], 'replayed'],
  ['a request on its way is waited for', { standings: [STANDING, STANDING, { ...STANDING, state: 'accepted' }], record: RECORD }, [], 'replayed'],
  ['a request that gave its key back is stood in for', { standings: [STANDING, undefined] }, ['dispatch own', 'confirm'], 'dispatched'],
  ['an unconfirmed job that exists is answered with', { standings: [{ ...STANDING, ageMs: 6_000 }], record: RECORD }, [], 'replayed'],
  ['an unconfirmed job that never was is queued under its id', { standings: [{ ...STANDING, ageMs: 6_000 }] }, ['dispatch first', 'confirm'], 'dispatched'],
  ['an unconfirmed job that may have been swept is not run again', { standings: [{ ...STANDING, ageMs: 61_000 }] }, [], 'RESULT_EXPIRED'],
  ['a job whose outcome was swept is not run again', { standings: [{ ...STANDING, state: 'accepted' }] }, [], 'RESULT_EXPIRED'],
  ['another request under the same key is refused', { standings: [{ ...STANDING, reservation: { ...STANDING.reservation, fingerprint: 'g' } }] }, [], 'IDEMPOTENCY_KEY_REUSED'],
])('%s', async (_words, scene, did, expected) => {
  const scened = play(scene);
  const got = await dispatchOnce(scened.tools, ORDER, ASKED).then(
    (dispatched) => ('replayed' in dispatched ? 'replayed' : 'dispatched'),
    (error: unknown) => (error as ClusterError).code,
  );
  expect([got, scened.did]).toEqual([expected, did]);
}); // prettier-ignore
