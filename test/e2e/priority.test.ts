import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { call, legacy } from '../support/call';
import { jobsOf } from '../support/jobs';
import { useStandardCluster } from '../support/standard-cluster';
import { ADMIN_KEY } from '../support/test-cluster';
import { linesWith } from '../support/log-lines';
import { waitFor } from '../support/wait-for';

const cluster = useStandardCluster();

const { submit, show } = jobsOf(cluster, { key: ADMIN_KEY, mode: 'admin' });
const inUse = async (): Promise<number> => (await legacy(cluster, 'pool-stats')).json.inUse as number;

it('while every slot is held, urgent jobs overtake others; of equal ones the first comes first', async () => {
  // Two slots stay held, so that the third serves the rest one by one.
  const hold = (seconds: number) => submit({ code: `import time\ntime.sleep(${seconds})`, timeoutMs: 120_000 });
  const held = [await hold(100), await hold(100)];
  const last = await hold(100);
  await waitFor('every slot to be held', async () => (await inUse()) === 3);
  const marks = join(cluster.notes, 'order');
  const marking = (mark: string, priority?: number) =>
    submit({
      code: `import os\nos.umask(0)\nwith open('${marks}', 'a') as file: print('${mark}', file=file)`,
      ...(priority !== undefined && { priority }),
    });
  const ids = [
    await marking('default 1'), await marking('least', 100), await marking('default 2'), await marking('later', 51),
    await marking('urgent 1', 1), await marking('sooner', 49), await marking('urgent 2', 1), await marking('default 3', 50),
  ]; // prettier-ignore
  expect((await show(ids[4] ?? '')).json.priority).toBe(1);
  expect((await show(ids[0] ?? '')).json.priority).toBe(50);
  await call(cluster, `/api/v1/jobs/${last}`, undefined, { method: 'DELETE', key: ADMIN_KEY });
  for (const id of ids) await waitFor('its end', async () => (await show(id)).json.state === 'finished');
  expect(readFileSync(marks, 'utf8').trim().split('\n')).toEqual([
    'urgent 1', 'urgent 2', 'sooner', 'default 1', 'default 2', 'default 3', 'later', 'least',
  ]); // prettier-ignore
  rmSync(marks);
  for (const id of held) await call(cluster, `/api/v1/jobs/${id}`, undefined, { method: 'DELETE', key: ADMIN_KEY });
}, 60_000);

it('labels stand in the record and the list, find their jobs, and are logged with the end of the job alone', async () => {
  const labels = { line: '7', 'order/id': 'a:b', note: 'Füllung-geheim' };
  const id = await submit({ code: 'result = 1', labels });
  await submit({ code: 'result = 1', labels: { line: '8' } });
  expect((await show(id)).json.labels).toEqual(labels);
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
  const found = async (label: string): Promise<any> => {
    const path = `/api/v1/jobs?label=${encodeURIComponent(label)}`;
    return (await call(cluster, path, undefined, { key: ADMIN_KEY })).json;
  };
  expect((await found('line:7')).jobs).toMatchObject([{ id, labels }]);
  expect((await found('order/id:a:b')).jobs).toMatchObject([{ id }]);
  expect((await found('line:9')).jobs).toEqual([]);
  expect((await found('toString:x')).jobs).toEqual([]);
  expect((await found('line')).error.code).toBe('REQUEST_INVALID');
  await waitFor('its end', async () => (await show(id)).json.state === 'finished');
  await waitFor('its line', () => cluster.workers.some(({ log }) => linesWith(log(), 'job finished', id, 'Füllung-geheim').length === 1));
  const told = [...cluster.apis, ...cluster.workers].flatMap(({ log }) => linesWith(log(), 'geheim'));
  expect(told.filter((line) => !line.includes('"msg":"job finished"'))).toEqual([]);
});
