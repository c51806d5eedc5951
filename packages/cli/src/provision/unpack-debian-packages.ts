import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { choosePackage, hasPackageLists, installPackages, privateApt, updatePackageLists, type Apt, type PackageChoice } from './apt';
import { runCommand } from './run-command';
import { loadUnpackedPackage, unpackedDirectory, type UnpackedManifest, type UnpackedName, type UnpackedPackage } from './unpacked-package';

/*
 * Debian packages without root. apt works on state of ours below <data>/apt and only downloads: the package and whatever
 * of its dependencies the machine does not have. Each .deb is unpacked into one directory, which is moved to its place
 * when it is whole and tried:
 *
 *   <data>/apt/{lists,archives,cache}  →  <data>/packages/.<name>-XXXXXX/{root,manifest.json}  →  <data>/packages/<name>
 *
 * The lists stay for the others of our packages; `discardAptState` takes them away.
 */

/** Never unpacked: a C library that differs from the machine's loader crashes, and maintainer tools are of no use here. */
const LEFT_OUT = new Set(['libc6', 'libc-bin', 'adduser', 'passwd', 'base-passwd', 'debconf', 'init-system-helpers']);

const LISTS_FRESH_MS = 60 * 60 * 1000;
const UNPACK_TIMEOUT_MS = 120_000;

export interface UnpackRequest {
  readonly dataDirectory: string;
  readonly name: UnpackedName;
  readonly choices: readonly PackageChoice[];
  /** Finds the program in the unpacked root, relative to it. */
  readonly locate: (root: string) => { readonly file: string; readonly argv0?: string } | undefined;
  /** Rejects what does not run, before anything takes its place. May finish the package off (compile, patch). */
  readonly verify: (unpacked: UnpackedPackage) => Promise<void>;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export async function unpackDebianPackages(request: UnpackRequest): Promise<UnpackedPackage> {
  const aptDirectory = join(request.dataDirectory, 'apt');
  try {
    await downloadWithDependencies(request, aptDirectory);
    return await unpack(request, join(aptDirectory, 'archives'));
  } finally {
    for (const part of ['archives', 'cache']) rmSync(join(aptDirectory, part), { recursive: true, force: true });
  }
}

export const discardAptState = (dataDirectory: string): void => rmSync(join(dataDirectory, 'apt'), { recursive: true, force: true });

/** The machine's own lists are tried first: they save a download, but may be absent or too old to be of use. */
async function downloadWithDependencies(request: UnpackRequest, aptDirectory: string): Promise<void> {
  const systems = privateApt(aptDirectory, 'system');
  const own = privateApt(aptDirectory, 'own');
  const ownAreFresh = hasPackageLists(own) && Date.now() - statSync(own.listsDirectory).mtimeMs < LISTS_FRESH_MS;
  const fromSystems = !ownAreFresh && hasPackageLists(systems) && (await tryDownload(systems, request));
  if (fromSystems) return;
  if (!ownAreFresh) {
    request.report('Fetching the package lists …');
    await updatePackageLists(own, request.signal);
  }
  await download(own, request);
}

async function tryDownload(apt: Apt, request: UnpackRequest): Promise<boolean> {
  try {
    await download(apt, request);
    return true;
  } catch (error) {
    if (request.signal?.aborted === true) throw error;
    return false;
  }
}

async function download(apt: Apt, request: UnpackRequest): Promise<void> {
  const { name, offered } = await choosePackage(apt, request.choices, request.signal);
  if (name === undefined) throw new NoSuitablePackageError(request.choices, offered);
  request.report(`Downloading the package ${name} and what it needs, to unpack it below ${request.dataDirectory} …`);
  const names = request.name === 'python' ? [name, 'tzdata'] : [name];
  await installPackages(apt, names, { downloadOnly: true, signal: request.signal, report: request.report });
}

/** The distribution has no package, or none new enough. */
export class NoSuitablePackageError extends Error {
  constructor(choices: readonly PackageChoice[], offered: Readonly<Record<string, string>>) {
    const names = choices.map(({ name }) => name);
    const have = names.flatMap((name) => (offered[name] === undefined ? [] : [`${name} ${offered[name]}`]));
    super(
      have.length === 0
        ? `the package sources cannot be reached or have none of ${names.join(', ')}`
        : `this distribution only has ${have.join(', ')}, and ${choices[0]?.minVersion ?? 'one'} or newer is needed`,
    );
  }
}

async function unpack(request: UnpackRequest, archives: string): Promise<UnpackedPackage> {
  const target = unpackedDirectory(request.dataDirectory, request.name);
  mkdirSync(dirname(target), { recursive: true });
  removeLeftovers(dirname(target), request.name);
  const staging = mkdtempSync(join(dirname(target), `.${request.name}-`));
  try {
    const root = join(staging, 'root');
    mkdirSync(root);
    for (const directory of [dirname(target), staging, root]) chmodSync(directory, 0o755);
    const packages = await unpackArchives(archives, root, request.signal);
    makeLinksRelative(root, root);
    writeManifest(request, staging, packages);
    await request.verify(loadOrThrow(staging));
    rmSync(target, { recursive: true, force: true });
    renameSync(staging, target);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
  return loadOrThrow(target);
}

async function unpackArchives(archives: string, root: string, signal: AbortSignal | undefined): Promise<Record<string, string>> {
  const packages: Record<string, string> = {};
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
    const [name = file, version = ''] = decodeURIComponent(file).split('_');
    if (LEFT_OUT.has(name)) continue;
    await runCommand('dpkg-deb', ['-x', join(archives, file), root], { timeoutMs: UNPACK_TIMEOUT_MS, signal });
    packages[name] = version;
  }
  return packages;
}

function writeManifest(request: UnpackRequest, staging: string, packages: Record<string, string>): void {
  const root = join(staging, 'root');
  const program = request.locate(root);
  if (program === undefined) throw new Error(`the packages ${Object.keys(packages).join(', ') || '(none)'} do not hold the program`);
  const manifest: UnpackedManifest = {
    format: 1,
    architecture: process.arch,
    packages,
    file: program.file,
    fileBytes: statSync(join(root, program.file)).size,
    ...(program.argv0 === undefined ? {} : { argv0: program.argv0 }),
    libraryDirectories: findLibraryDirectories(root),
  };
  writeFileSync(join(staging, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function loadOrThrow(directory: string): UnpackedPackage {
  const unpacked = loadUnpackedPackage(directory);
  if (unpacked === undefined) throw new Error(`what was unpacked into ${directory} is not whole`);
  return unpacked;
}

/** `usr/lib/x86_64-linux-gnu` and the like, relative to the root. */
export function findLibraryDirectories(root: string): string[] {
  return ['usr/lib', 'lib'].flatMap((base) =>
    existsSync(join(root, base))
      ? readdirSync(join(root, base))
          .filter((name) => name.includes('-linux-gnu') && statSync(join(root, base, name)).isDirectory())
          .map((name) => join(base, name))
      : [],
  );
}

/** Packages link to `/etc/…` and the like; where that is in the root too, the link has to stay inside. */
export function makeLinksRelative(directory: string, root: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const entry = lstatSync(path);
    if (entry.isDirectory()) makeLinksRelative(path, root);
    if (!entry.isSymbolicLink()) continue;
    const target = readlinkSync(path);
    if (!isAbsolute(target) || !existsSync(join(root, target))) continue;
    rmSync(path);
    symlinkSync(relative(directory, join(root, target)), path);
  }
}

/** Half-unpacked directories of starts that were killed; the provisioning lock makes sure that nobody works in them. */
function removeLeftovers(directory: string, name: UnpackedName): void {
  for (const entry of readdirSync(directory)) {
    if (entry.startsWith(`.${name}-`)) rmSync(join(directory, entry), { recursive: true, force: true });
  }
}
