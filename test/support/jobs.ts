import { expect } from '@jest/globals';
import { call, type Answer, type CallOptions, type Reached } from './call';
import { waitFor } from './wait-for';

/** What end-to-end tests do with jobs. `options` go over those of all its calls. */
export interface Jobs {
  /** The id of a job that must be accepted. */
  submit(job: object, options?: CallOptions): Promise<string>;
  /** The whole answer of the same. */
  accept(job: object, options?: CallOptions): Promise<Answer['json']>;
  show(id: string, options?: CallOptions): Promise<Answer>;
  /** The job as the API shows it, once it has an outcome; fails after the time. */
  ended(id: string, timeoutMs?: number): Promise<Answer['json']>;
}

/** `cluster`: a function where it is started later. `mode` is that of each job that names none. */
export function jobsOf(cluster: Reached | (() => Reached), { mode, ...by }: CallOptions & { readonly mode?: 'admin' } = {}): Jobs {
  const reached = (): Reached => (typeof cluster === 'function' ? cluster() : cluster);
  const accept: Jobs['accept'] = async (job, options) => {
    const answer = await call(reached(), '/api/v1/jobs', { ...(mode && { mode }), ...job }, { ...by, ...options });
    expect([answer.status, answer.text]).toEqual([202, answer.text]);
    return answer.json;
  };
  const show: Jobs['show'] = (id, options) => call(reached(), `/api/v1/jobs/${id}`, undefined, { ...by, ...options });
  return {
    accept,
    submit: async (job, options) => (await accept(job, options)).id as string,
    show,
    ended: (id, timeoutMs = 30_000) =>
      waitFor(
        `the outcome of ${id}`,
        async () => {
          const { json } = await show(id);
          return json.outcome ? json : undefined;
        },
        timeoutMs,
      ),
  };
}
