import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './test-redis';
import { waitFor } from './wait-for';

/** As Debian names it, as its makers do. */
const PROGRAMS = ['prometheus-alertmanager', 'alertmanager'];

export interface AlertmanagerAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

export function findAlertmanager(): string | undefined {
  return PROGRAMS.find((program) => {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

/** A real Alertmanager that tells a receiver at once, of ends too. */
export class AlertmanagerServer {
  readonly url: string;

  private constructor(
    private readonly process: ChildProcess,
    private readonly directory: string,
    port: number,
  ) {
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(program: string, receiverUrl: string): Promise<AlertmanagerServer> {
    const directory = mkdtempSync(join(tmpdir(), 'p3-alertmanager-'));
    const port = await freePort();
    const configuration = `
route: { receiver: plant, group_by: [alertname, lane], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h }
receivers: [{ name: plant, webhook_configs: [{ url: '${receiverUrl}', send_resolved: true }] }]
`;
    writeFileSync(join(directory, 'alertmanager.yml'), configuration);
    const args = ['--config.file=alertmanager.yml', '--storage.path=data', `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address='];
    const child = spawn(program, args, { cwd: directory, stdio: 'ignore' });
    const server = new AlertmanagerServer(child, directory, port);
    await waitFor('Alertmanager', () => fetch(`${server.url}/-/ready`).then(({ ok }) => ok, () => false)); // prettier-ignore
    return server;
  } // prettier-ignore

  /** Those that have not ended. */
  async alerts(): Promise<AlertmanagerAlert[]> {
    return (await (await fetch(`${this.url}/api/v2/alerts`)).json()) as AlertmanagerAlert[];
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await exited;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
