import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './test-redis';
import { waitFor } from './wait-for';

const FOLDER = join(__dirname, '..', '..', 'deploy', 'prometheus');

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
    const configuration = readFileSync(join(FOLDER, 'prometheus.yml'), 'utf8')
      .replaceAll('/etc/prometheus/python3-metrics-token', join(directory, 'token'))
      .replace('127.0.0.1:8311', `127.0.0.1:${apiPort}`)
      .replace('127.0.0.1:8312', `127.0.0.1:${workerPort}`)
      .replace('scrape_interval: 15s', 'scrape_interval: 500ms\n  scrape_timeout: 500ms')
      .replace('evaluation_interval: 15s', 'evaluation_interval: 500ms');
    cpSync(join(FOLDER, 'rules'), join(directory, 'rules'), { recursive: true });
    writeFileSync(join(directory, 'prometheus.yml'), configuration);
    execFileSync('promtool', ['check', 'config', join(directory, 'prometheus.yml')], { stdio: 'pipe' });
    const args = [`--config.file=${directory}/prometheus.yml`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=127.0.0.1:${port}`];
    const server = new PrometheusServer(spawn('prometheus', args, { cwd: directory, stdio: 'ignore' }), directory, port);
    await waitFor('Prometheus', () => fetch(`http://127.0.0.1:${port}/-/ready`).then(({ ok }) => ok, () => false)); // prettier-ignore
    return server;
  } // prettier-ignore

  /** The value of a query that gives one series, or undefined. */
  async query(expression: string): Promise<number | undefined> {
    const values = await this.values(expression);
    return values.length === 1 ? values[0] : undefined;
  }

  /** Of each series of a query. @throws Error if Prometheus does not understand it */
  async values(expression: string): Promise<number[]> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { data, error } = (await response.json()) as { data?: { result: { value: [number, string] }[] }; error?: string };
    if (data === undefined) throw new Error(`${expression}: ${error}`);
    return data.result.map(({ value }) => Number(value[1]));
  }

  /** Names of the rules it evaluates that failed, with the reason. */
  async failedRules(): Promise<string[]> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/rules`);
    const { data } = (await response.json()) as { data: { groups: { rules: { name: string; lastError?: string }[] }[] } };
    return data.groups.flatMap(({ rules }) =>
      rules.filter(({ lastError }) => lastError).map(({ name, lastError }) => `${name}: ${lastError}`),
    );
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await exited;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
