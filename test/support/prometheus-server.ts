import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './test-redis';
import { waitFor } from './wait-for';

const PUBLISHED = join(__dirname, '..', '..', 'deploy', 'prometheus', 'prometheus.yml');

/** Whether Debian's `prometheus` package, which has both programs, is installed. */
export function hasPrometheus(): boolean {
  try {
    for (const program of ['prometheus', 'promtool']) execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What `promtool check metrics` says about a scraped text; '' where it finds nothing. */
export function checkMetrics(text: string): string {
  try {
    execFileSync('promtool', ['check', 'metrics'], { input: text, stdio: 'pipe' });
    return '';
  } catch (error) {
    const { stdout, stderr } = error as { stdout: Buffer; stderr: Buffer };
    return `${stdout.toString()}${stderr.toString()}`;
  }
}

/** A real Prometheus, with the published configuration, but for addresses, token file and pace. */
export class PrometheusServer {
  private constructor(
    private readonly process: ChildProcess,
    private readonly directory: string,
    private readonly port: number,
  ) {}

  static async start(token: string, apiPort: number, workerPort: number): Promise<PrometheusServer> {
    const directory = mkdtempSync(join(tmpdir(), 'p3-prometheus-'));
    const port = await freePort();
    writeFileSync(join(directory, 'token'), token);
    const configuration = readFileSync(PUBLISHED, 'utf8')
      .replaceAll('/etc/prometheus/python3-metrics-token', join(directory, 'token'))
      .replace('127.0.0.1:8311', `127.0.0.1:${apiPort}`)
      .replace('127.0.0.1:8312', `127.0.0.1:${workerPort}`)
      .replace('scrape_interval: 15s', 'scrape_interval: 500ms\n  scrape_timeout: 500ms');
    writeFileSync(join(directory, 'prometheus.yml'), configuration);
    execFileSync('promtool', ['check', 'config', join(directory, 'prometheus.yml')], { stdio: 'pipe' });
    const args = [`--config.file=${directory}/prometheus.yml`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=127.0.0.1:${port}`];
    const server = new PrometheusServer(spawn('prometheus', args, { cwd: directory, stdio: 'ignore' }), directory, port);
    await waitFor('Prometheus', () => fetch(`http://127.0.0.1:${port}/-/ready`).then(({ ok }) => ok, () => false)); // prettier-ignore
    return server;
  } // prettier-ignore

  /** The value of a query that gives one series, or undefined. */
  async query(expression: string): Promise<number | undefined> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    return data.result.length === 1 ? Number(data.result[0]?.value[1]) : undefined;
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await exited;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
