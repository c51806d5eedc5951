const ANSWER_MS = 500;

/** What a stop waits for, in words, as it is said to whoever pressed Ctrl-C. */
export async function describeWait(address: string, drainSeconds: number): Promise<string> {
  const running = await countRunning(address);
  if (running === 0) return 'stopping';
  const jobs = running === undefined ? 'what runs' : running === 1 ? '1 running job' : `${running} running jobs`;
  return `waiting for ${jobs}, up to ${drainSeconds} s; press Ctrl-C again to end ${running === 1 ? 'it' : 'them'} now`;
}

/** Slots in use on all nodes of the cluster; undefined where the API does not say. */
async function countRunning(address: string): Promise<number | undefined> {
  try {
    const response = await fetch(`${address}/health`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const { slots } = (await response.json()) as { slots?: { inUse?: unknown } };
    return typeof slots?.inUse === 'number' ? slots.inUse : undefined;
  } catch {
    return undefined;
  }
}
