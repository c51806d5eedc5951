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

// The cluster that runs in this clone, which proves to be it before it gets the key; or another, by PYTHON3_URL and the key.
const { PYTHON3_URL, PYTHON3_DEVELOPER_APIKEY } = process.env;
const isNamed = PYTHON3_URL !== undefined && PYTHON3_DEVELOPER_APIKEY !== undefined;
const { address, key } = isNamed ? { address: PYTHON3_URL, key: PYTHON3_DEVELOPER_APIKEY } : await findHere();
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

async function findHere() {
  const { default: commandLine } = await import(here('../packages/cli/dist/index.js'));
  return commandLine.findOwnCluster().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
