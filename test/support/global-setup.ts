import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeNotesRoot } from './notes';
import { startTestRedis } from './test-redis';

/** One Redis for all tests; each test works under a namespace of its own, or under that of its Jest worker's standard cluster. */
export default async function globalSetup(): Promise<void> {
  (globalThis as { testNotes?: string }).testNotes = makeNotesRoot();
  process.env['PYTHON3_TEST_STANDARD'] = mkdtempSync(join(tmpdir(), 'p3-standard-'));
  const redis = await startTestRedis();
  process.env['PYTHON3_TEST_REDIS_URL'] = redis.url;
  (globalThis as { stopTestRedis?: () => Promise<void> }).stopTestRedis = redis.stop;
}
