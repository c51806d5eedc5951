import { statfs } from 'node:fs/promises';
import type { Redis } from 'ioredis';
import { cpus } from 'node:os';
import { mastersOf, readMemory, type HostFigures, type Logger } from '@python3-cluster/shared';

/** How often it is looked at; heartbeats tell what was seen last. */
const LOOK_MS = 10_000;

/** How this node's host stands: room for scratch folders, and how far its clock is from that of Redis. */
export class HostWatch {
  private timer: NodeJS.Timeout | undefined;
  private seen: HostFigures | undefined;
  private ticks = readTicks();

  constructor(
    private readonly redis: Redis,
    private readonly directory: string,
    private readonly logger: Logger,
  ) {}

  get figures(): HostFigures | undefined {
    return this.seen;
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.look(), LOOK_MS);
    await this.look();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    try {
      const [server] = mastersOf(this.redis);
      if (server?.status !== 'ready') return;
      const before = Date.now();
      const [[seconds, microseconds], disk] = await Promise.all([server.time(), statfs(this.directory)]);
      const after = Date.now();
      const offsetMs = (before + after) / 2 - (Number(seconds) * 1_000 + Number(microseconds) / 1_000);
      const memory = readMemory();
      this.seen = {
        memoryUsedBytes: memory.usedBytes,
        memoryTotalBytes: memory.totalBytes,
        cpuShare: this.takeCpuShare(),
        diskFreeBytes: disk.bavail * disk.bsize,
        diskTotalBytes: disk.blocks * disk.bsize,
        // Where an answer took long, nobody knows when on the way the clock was read.
        clockOffsetMs: Math.abs(offsetMs) <= (after - before) / 2 ? 0 : Math.round(offsetMs),
      };
    } catch (error) {
      this.logger.debug({ error: String(error) }, 'the host could not be looked at');
    }
  }

  /** Of all processors since the look before. */
  private takeCpuShare(): number {
    const before = this.ticks;
    this.ticks = readTicks();
    const all = this.ticks.all - before.all;
    return all <= 0 ? 0 : Math.round((1_000 * (this.ticks.busy - before.busy)) / all) / 1_000;
  }
}

function readTicks(): { readonly busy: number; readonly all: number } {
  let [busy, all] = [0, 0];
  for (const { times } of cpus()) {
    const { user, nice, sys, irq, idle } = times;
    busy += user + nice + sys + irq;
    all += user + nice + sys + irq + idle;
  }
  return { busy, all };
}
