import { EXIT_CODES } from '@python3-cluster/shared';
import { dataDirectoryOf } from '../data-directory';
import { examineMachine } from '../doctor/examine-machine';
import { renderChecks } from '../doctor/render-checks';
import { loadEnvironment } from '../load-environment';

export async function runDoctorCommand(): Promise<void> {
  const environment = loadEnvironment();
  const results = await examineMachine(environment, dataDirectoryOf(environment));
  const colours = process.stdout.isTTY && !environment['NO_COLOR'];
  for (const line of renderChecks(results, colours)) console.log(line);
  if (results.some((result) => result.verdict === 'fail')) process.exitCode = EXIT_CODES.cannotStart;
}
