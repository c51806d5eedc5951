import { EXIT_CODES } from '@python3-cluster/shared';
import { dataDirectoryOf } from '../data-directory';
import { examineMachine } from '../doctor/examine-machine';
import { loadEnvironment } from '../load-environment';

const SIGNS = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;

export async function runDoctorCommand(): Promise<void> {
  const environment = loadEnvironment();
  const results = await examineMachine(environment, dataDirectoryOf(environment));
  const width = Math.max(...results.map((result) => result.name.length));
  for (const { name, verdict, text } of results) console.log(`${SIGNS[verdict]}  ${name.padEnd(width)}  ${text}`);
  if (results.some((result) => result.verdict === 'fail')) process.exitCode = EXIT_CODES.cannotStart;
}
