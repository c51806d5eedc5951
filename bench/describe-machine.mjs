import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { DEBIAN_PYTHON, readPythonVersion } from './requirements.mjs';
import { root } from './root.mjs';

/** What the numbers were measured on: without it they mean nothing. */
export function describeMachine({ redis }) {
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown CPU',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    python:
      readPythonVersion('platform') === undefined
        ? undefined
        : run(DEBIAN_PYTHON, ['-c', 'import platform; print(platform.python_version())']),
    redis,
    redisPy: readPythonVersion('redis'),
    hiredis: readPythonVersion('hiredis'),
    commit: run('git', ['describe', '--always', '--dirty']),
  };
}

function run(file, args) {
  try {
    return execFileSync(file, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}
