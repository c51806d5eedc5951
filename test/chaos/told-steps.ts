import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { WebhookReceiver, type Received } from '../../packages/api/test/webhook-receiver';
import { SIGNING_KEY } from '../support/test-cluster';

const COMMAND = join(__dirname, '..', '..', 'packages', 'cli', 'bin', 'python3-cluster.js');

/** Somebody whom the cluster tells of alerts, and who verifies each delivery by what the documentation says. */
export class ToldSteps {
  private constructor(
    private readonly receiver: WebhookReceiver,
    private readonly key: Buffer,
  ) {}

  static async start(): Promise<ToldSteps> {
    const env = { PATH: process.env['PATH'], PYTHON3_SIGNING_KEY: SIGNING_KEY };
    const key = execFileSync(process.execPath, [COMMAND, 'webhook-key'], { env, encoding: 'utf8' });
    return new ToldSteps(await WebhookReceiver.start(), Buffer.from(key.trim(), 'hex'));
  }

  get url(): string {
    return `${this.receiver.origin}/hook`;
  }

  /** How often each step came, by deliveries that differ: `firing NAME subject`. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { json } of new Map(this.receiver.received.map((each) => [each.json.deliveryId, each])).values()) {
      const step = [json.event, json.alert.name, json.alert.subject].filter(Boolean).join(' ');
      counts[step] = (counts[step] ?? 0) + 1;
    }
    return counts;
  }

  /** Deliveries that came again under the id they had. */
  repeated(): number {
    return this.receiver.received.length - new Set(this.receiver.received.map(({ json }) => json.deliveryId)).size;
  }

  forged(): number {
    return this.receiver.received.filter((each) => !this.isOurs(each)).length;
  }

  stop(): Promise<void> {
    return this.receiver.stop();
  }

  private isOurs({ headers, body, json }: Received): boolean {
    const id = String(headers['python3-cluster-delivery']);
    const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['python3-cluster-signature'])) ?? [];
    const expected = createHmac('sha256', this.key).update(`${seconds}.${id}.`).update(body).digest('hex');
    return mac === expected && json.deliveryId === id && Math.abs(Date.now() / 1_000 - Number(seconds)) < 3_600;
  }
}
