import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const STEADY = 'nobody may change this\n';

/**
 * Things worth reaching, as a worker node's host has them: a process with a secret in its environment, a key file, files
 * and a folder that anybody may write to, ports and sockets. What was reached is seen here, not believed from the attacker:
 *
 *   secret     the canary stands in something the job said; no program is told it
 *   listener   a connection or a datagram arrived
 *   file       a file was made or changed
 *   process    the process is gone
 */
export class Targets {
  readonly canary = randomBytes(16).toString('hex');
  private readonly folder = mkdtempSync(join(tmpdir(), 'python3-targets-'));
  private readonly servers: Server[] = [];
  private readonly udp: UdpSocket = createSocket('udp4');
  /** As long as such a name can be: versions of Node differ in whether they pad it. */
  private readonly abstractName = `\0${`canary-${randomBytes(8).toString('hex')}`.padEnd(107, '.')}`;
  private readonly owner: number | undefined;
  private process!: ChildProcess;
  private contacts = 0;

  /** `owner`: the worker node's user, whose these things are. */
  constructor(owner: number | undefined) {
    this.owner = owner;
  }

  async start(): Promise<void> {
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.folder, 'open'));
    this.write('signing.key', this.canary, 0o600);
    this.write('ledger', STEADY, 0o666);
    chmodSync(join(this.folder, 'open'), 0o777);
    for (const address of [{ port: 0, host: '127.0.0.1' }, { path: this.abstractName }, { path: join(this.folder, 'socket') }]) {
      const server = createServer((socket) => {
        this.contacts += 1;
        socket.on('error', () => undefined).destroy();
      });
      await new Promise<void>((resolve) => server.listen(address, resolve));
      this.servers.push(server);
    }
    chmodSync(join(this.folder, 'socket'), 0o777);
    this.udp.on('message', () => (this.contacts += 1));
    await new Promise<void>((resolve) => this.udp.bind(0, '127.0.0.1', resolve));
    this.startProcess();
  }

  stop(): void {
    for (const server of this.servers) server.close();
    this.udp.close();
    this.process.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What programs are told, as an insider would know it. */
  get variables() {
    return {
      key_file: join(this.folder, 'signing.key'),
      ledger: join(this.folder, 'ledger'),
      open_folder: join(this.folder, 'open'),
      unix_path: join(this.folder, 'socket'),
      abstract_name: this.abstractName.replace('\0', '@'),
      worker_pid: this.process.pid,
      port: (this.servers[0]?.address() as AddressInfo).port,
      udp_port: this.udp.address().port,
    };
  }

  /** What was reached since the last look; all is as before afterwards. */
  async look(said: string): Promise<string[]> {
    // What arrived is told within two turns of the event loop.
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const reached: string[] = [];
    if (said.includes(this.canary)) reached.push('secret');
    if (this.contacts > 0) reached.push('listener');
    const made = readdirSync(join(this.folder, 'open'));
    if (made.length > 0 || readFileSync(join(this.folder, 'ledger'), 'utf8') !== STEADY) reached.push('file');
    if (this.process.exitCode !== null || this.process.signalCode !== null) {
      reached.push('process');
      this.startProcess();
    }
    this.contacts = 0;
    for (const name of made) rmSync(join(this.folder, 'open', name), { recursive: true, force: true });
    if (reached.includes('file')) this.write('ledger', STEADY, 0o666);
    return reached;
  }

  private startProcess(): void {
    const identity = this.owner === undefined ? {} : { uid: this.owner, gid: this.owner };
    this.process = spawn('sleep', ['1000'], { env: { SECRET: this.canary }, stdio: 'ignore', ...identity });
  }

  private write(name: string, text: string, mode: number): void {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    if (this.owner !== undefined) chownSync(path, this.owner, this.owner);
  }
}
