import { makeNotesRoot } from './notes';
import { startTestRedis } from './test-redis';

/** One Redis for all tests; each test works under a namespace of its own. */
export default async function globalSetup(): Promise<void> {
  (globalThis as { testNotes?: string }).testNotes = makeNotesRoot();
  const redis = await startTestRedis();
  process.env['PYTHON3_TEST_REDIS_URL'] = redis.url;
  (globalThis as { stopTestRedis?: () => Promise<void> }).stopTestRedis = redis.stop;
}
