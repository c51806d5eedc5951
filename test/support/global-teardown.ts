import { rmSync } from 'node:fs';
import { stopStandardClusters } from './stop-standard-clusters';

export default async function globalTeardown(): Promise<void> {
  const { testNotes, stopTestRedis } = globalThis as { testNotes?: string; stopTestRedis?: () => Promise<void> };
  try {
    await stopStandardClusters();
  } finally {
    if (testNotes !== undefined) rmSync(testNotes, { recursive: true, force: true });
    await stopTestRedis?.();
  }
}
