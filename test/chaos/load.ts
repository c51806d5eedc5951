import { ADMIN_KEY, type TestCluster } from '../support/test-cluster';
import { call } from '../support/call';

/** Notes its mark where the test can see it, whatever the cluster says, and takes a moment. */
const CODE = `
import os, time
os.umask(0)  # jobs run as other users
file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(file, (mark + '\\n').encode())
time.sleep(seconds)
result = mark
`;

export interface NotedJob {
  /** Path of the file. */
  readonly notes: string;
  readonly mark: string;
  readonly seconds: number;
  readonly delivery: 'at-least-once' | 'at-most-once';
}

export const createNotedJob = ({ delivery, ...variables }: NotedJob): object => ({ code: CODE, variables, mode: 'admin', delivery });

/** Most are short; some outlive a lock, so that a node that is cut off has something to end. */
const secondsOf = (number: number): number => (number % 5 === 0 ? 2 : 0.1 + (number % 4) / 10);

const PAUSE_MS = 50;

/** Callers that send jobs one after the other, half of them `at-most-once`, a third of them waiting for the end. */
export class Load {
  /** Job id → mark, of every job that somebody was promised an outcome for; no mark where the caller lost its connection. */
  readonly accepted = new Map<string, string | undefined>();
  /** Requests that were refused, or whose connection broke: nothing was promised. */
  refused = 0;
  private isStopping = false;
  private count = 0;
  private readonly callers: Promise<void>[];

  constructor(
    private readonly cluster: TestCluster,
    private readonly notes: string,
    callers: number,
  ) {
    this.callers = Array.from({ length: callers }, () => this.call());
  }

  /** Resolves when every caller has its answer. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await Promise.all(this.callers);
  }

  private async call(): Promise<void> {
    while (!this.isStopping) {
      await this.callOnce((this.count += 1)).catch(() => (this.refused += 1));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  private async callOnce(number: number): Promise<void> {
    const delivery = number % 2 === 0 ? 'at-most-once' : 'at-least-once';
    const mark = `job ${number} ${delivery}`;
    const headers: Record<string, string> = number % 3 === 0 && number % 5 !== 0 ? { prefer: 'wait=20' } : {};
    const replica = number % this.cluster.ports.length;
    const job = createNotedJob({ notes: this.notes, mark, seconds: secondsOf(number), delivery });
    const { status, json } = await call(this.cluster, '/api/v1/jobs', job, { key: ADMIN_KEY, replica, headers });
    const id = (status < 300 ? json.id : json.error?.code === 'OUTCOME_UNKNOWN' ? json.error.jobId : undefined) as string | undefined;
    if (id === undefined) this.refused += 1;
    else this.accepted.set(id, mark);
  }
}
