import { Command, CommanderError } from 'commander';
import type { SignInOptions } from './commands/sign-in';
import { errorDefinition, EXIT_CODES, isClusterError, PRODUCT_VERSION } from '@python3-cluster/shared';
import type { TopOptions } from './commands/top';
import { parseTopUrl } from './top/top-url';

interface ServerOptions {
  readonly stopWithParent?: boolean;
}

/** The command line: `python3-cluster api | worker | start | doctor | top | sign-in | webhook-key`. Resolves when the command has started or ended. */
export async function runCli(args: readonly string[]): Promise<void> {
  // A rejection that nobody handles comes here as well. Nothing is known to hold after it, so nothing is stopped in order.
  process.on('uncaughtException', (error) => {
    console.error(error);
    process.exit(EXIT_CODES.defect);
  });
  try {
    await createProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = reportFailure(error);
    // A command that failed to start may have left connections that would keep the process up.
    if (!(error instanceof CommanderError)) process.exit();
  }
}

/** Each command's code is loaded when it is called: no process starts with that of the others. */
function createProgram(): Command {
  const program = new Command('python3-cluster')
    .description('Real Python 3 for industrial plants, as a cluster.')
    .version(PRODUCT_VERSION)
    .exitOverride()
    .showHelpAfterError()
    .addHelpText('after', '\nSettings come from the environment or a .env file; docs/configuration.md lists them.');
  program
    .command('start')
    .description('run Redis, the API and one worker node on this machine, with keys made on first use')
    .action(async () => (await import('./commands/start.js')).runStartCommand());
  program
    .command('api')
    .description('run one API replica (needs REDIS_URL, PYTHON3_SIGNING_KEY)')
    .option('--stop-with-parent', 'stop when standard input ends')
    .action(async (options: ServerOptions) => (await import('./commands/api.js')).runApiCommand(options));
  program
    .command('worker')
    .description('run one worker node (needs REDIS_URL, PYTHON3_SIGNING_KEY)')
    .option('--stop-with-parent', 'stop when standard input ends')
    .action(async (options: ServerOptions) => (await import('./commands/worker.js')).runWorkerCommand(options));
  program
    .command('doctor')
    .description('check what this machine can do, and say what is missing')
    .action(async () => (await import('./commands/doctor.js')).runDoctorCommand());
  program
    .command('top')
    .description('show what the cluster does, live; q ends')
    .option('--url <address>', 'an API replica (default: the one of this clone: .data, .env)', parseTopUrl)
    .option('--key-file <path>', 'file with an API key of any role (default: the admin key of this clone)')
    .option('--once', 'print the picture once and end')
    .action(async (options: TopOptions) => (await import('./commands/top.js')).runTopCommand(options));
  program
    .command('sign-in')
    .description('print a new sign-in link for the cluster that runs here')
    .option('--url <address>', 'the address to print, where browsers reach it by another', parseTopUrl)
    .action(async (options: SignInOptions) => (await import('./commands/sign-in.js')).runSignInCommand(options));
  program
    .command('webhook-key')
    .description('print the key by which receivers verify alerts (needs PYTHON3_SIGNING_KEY)')
    .action(async () => (await import('./commands/webhook-key.js')).runWebhookKeyCommand());
  program
    .command('adopt-signing-key')
    .description('make this host’s PYTHON3_SIGNING_KEY the cluster’s, where the old one is lost or known to others')
    .action(async () => (await import('./commands/adopt-signing-key.js')).runAdoptSigningKeyCommand());
  return program;
}

function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage;
  if (isSystemError(error)) {
    console.error(`python3-cluster: ${error.message}`);
    return EXIT_CODES.cannotStart;
  }
  if (!isClusterError(error)) {
    console.error(error);
    return EXIT_CODES.defect;
  }
  console.error(`python3-cluster: ${error.message} (${error.code})`);
  return errorDefinition(error.code).exitCode ?? EXIT_CODES.cannotStart;
}

/** What the system refuses, such as a folder that cannot be made or an address that is not this host's, is no defect. */
const isSystemError = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && 'syscall' in error && 'errno' in error;
