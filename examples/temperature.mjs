// node examples/temperature.mjs [readings.csv]: sends all rows of a CSV (timestamp,value) with temperature.py to a running cluster.
import { readFileSync } from 'node:fs';

const here = (path) => new URL(path, import.meta.url);
const csv = readFileSync(process.argv[2] ?? here('./temperature.csv'), 'utf8');
const readings = csv
  .trim()
  .split(/\r?\n/)
  .slice(1)
  .map((row) => row.split(','))
  .map(([when, value]) => [when, Number(value)]);

const key = process.env.PYTHON3_DEVELOPER_APIKEY ?? readFileSync(here('../.data/secrets/developer.key'), 'utf8').trim();
const address = process.env.PYTHON3_URL ?? 'http://127.0.0.1:8311';
const response = await fetch(`${address}/data/python3integration/api/v1/exec`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
  body: JSON.stringify({ code: readFileSync(here('./temperature.py'), 'utf8'), variables: { readings } }),
});
const answer = await response.json();
if (!answer.success) throw new Error(`${response.status}: ${answer.error}`);

process.stdout.write(answer.stdout);
for (const { at, value, mean, deviation } of answer.result.anomalies.slice(0, 5))
  console.log(`${at}  ${value}  (mean ${mean}, deviation ${deviation})`);
const last = answer.result.hours.at(-1);
console.log(`last hour ${last.hour}: mean ${last.mean}, ${last.low} to ${last.high}`);
console.log(`${answer.executionTimeMs} ms in Python, job ${answer.jobId}`);
