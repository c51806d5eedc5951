import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { JobMode } from '@python3-cluster/shared';

/** The files that a mode's code is shown. Absolute paths; what does not exist is left out where they are used. */
export interface MountView {
  readonly readPaths: readonly string[];
  readonly writePaths: readonly string[];
}

/** Shared libraries, byte code and time zones: what an interpreter opens by itself. */
const LIBRARIES = ['/lib', '/lib32', '/lib64', '/usr/lib', '/usr/lib32', '/usr/lib64', '/usr/local/lib'];
const FILES_OF_LIBRARIES = [
  '/usr/share/zoneinfo', '/etc/localtime', '/etc/timezone', '/etc/ld.so.cache', '/etc/alternatives', '/etc/ssl/openssl.cnf',
]; // prettier-ignore

/** Programs, and what they need to find names and trust certificates. Nothing of /etc as a whole. */
const SYSTEM = ['/bin', '/sbin', '/usr'];
const FILES_OF_SYSTEM = [
  '/etc/passwd', '/etc/group', '/etc/nsswitch.conf', '/etc/hosts', '/etc/host.conf', '/etc/resolv.conf', '/etc/gai.conf', '/etc/services',
  '/etc/protocols', '/etc/mime.types', '/etc/os-release', '/etc/debian_version', '/etc/ssl/certs', '/etc/ca-certificates', '/etc/pki/tls/certs',
  '/etc/pki/ca-trust/extracted',
]; // prettier-ignore

export interface ViewParts {
  readonly mode: JobMode;
  /** What the interpreter says it reads. */
  readonly interpreterPaths: readonly string[];
  readonly adminReadPaths: readonly string[];
  readonly adminWritePaths: readonly string[];
}

export function createMountView({ mode, interpreterPaths, adminReadPaths, adminWritePaths }: ViewParts): MountView {
  const common = [...LIBRARIES, ...FILES_OF_LIBRARIES, ...interpreterPaths];
  const readPaths = mode === 'restricted' ? common : [...common, ...SYSTEM, ...FILES_OF_SYSTEM, ...adminReadPaths];
  const writePaths = mode === 'restricted' ? [] : adminWritePaths;
  return { readPaths: unique(readPaths.flatMap(withLinkTargets)), writePaths };
}

/** A path, and what it points to, step by step: a link alone would lead nowhere in the view. */
export function withLinkTargets(path: string): string[] {
  const found = [path];
  for (let depth = 0, at = path; depth < 16; depth += 1) {
    const target = readLink(at);
    if (target === undefined) return found;
    // Folders on the way may be links themselves.
    at = resolve(realFolder(dirname(at)), target);
    found.push(at);
  }
  return found;
}

function readLink(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

const unique = (paths: readonly string[]): string[] => [...new Set(paths)];
