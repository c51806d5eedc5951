import { rmSync } from 'node:fs';

export default async function globalTeardown(): Promise<void> {
  const { testNotes } = globalThis as { testNotes?: string };
  if (testNotes !== undefined) rmSync(testNotes, { recursive: true, force: true });
  await (globalThis as { stopTestRedis?: () => Promise<void> }).stopTestRedis?.();
}
