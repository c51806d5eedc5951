import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { copySources, type Instruction, type Stage } from './dockerfile';

export interface BuildOptions {
  /** The files that the build sees. */
  readonly contextFolder: string;
  /** Each stage's file system lies in a folder of its own here, named for it. */
  readonly imagesFolder: string;
  readonly environment: NodeJS.ProcessEnv;
  /** `RUN` needs the system of the base image in final stages (apt, useradd): only there may it be left out. */
  readonly runs: (stage: Stage) => boolean;
}

/** Follows a stage's `WORKDIR`, `COPY` and `RUN` in their order, in a folder instead of an image. */
export function buildStage(stage: Stage, options: BuildOptions): string {
  const root = join(options.imagesFolder, stage.name);
  let workingFolder = '/';
  for (const instruction of stage.instructions) {
    if (instruction.word === 'WORKDIR') {
      workingFolder = instruction.text;
      mkdirSync(join(root, workingFolder), { recursive: true });
    } else if (instruction.word === 'COPY') {
      copy(instruction, options, join(root, workingFolder));
    } else if (instruction.word === 'RUN' && options.runs(stage)) {
      run(instruction.text, join(root, workingFolder), options.environment);
    }
  }
  return root;
}

function copy(instruction: Instruction, options: BuildOptions, workingFolder: string): void {
  const { from } = instruction.flags;
  const sourceRoot = from === undefined ? options.contextFolder : join(options.imagesFolder, from);
  const { sources, target } = copySources(instruction);
  if (isAbsolute(target)) throw new Error(`COPY to an absolute path is not followed: ${instruction.text}`);
  for (const source of sources) {
    const path = join(sourceRoot, source);
    if (!existsSync(path)) throw new Error(`COPY: ${source} is not in ${from ?? 'the build context'}`);
    const isFileIntoFolder = statSync(path).isFile() && target.endsWith('/');
    cpSync(path, join(workingFolder, target, isFileIntoFolder ? basename(source) : ''), { recursive: true, verbatimSymlinks: true });
  }
}

function run(command: string, folder: string, environment: NodeJS.ProcessEnv): void {
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd: folder, env: environment, encoding: 'utf8' });
  if (status !== 0) throw new Error(`RUN ${command}: exit ${status}\n${stdout}\n${stderr}`);
}
