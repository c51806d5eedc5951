import type { FrameHeader } from './frames';
import { assertMessage, isBoolean, isInteger, isNumber, isText, isTextList, nullOr, type MessageShapes } from './message-shape';
import type { JobMode } from '../jobs/job-words';

/** Worker node → template; `docs/wire-protocol.md` §1.1. */
export type WorkerControlMessage =
  | {
      readonly type: 'configure';
      readonly mode: JobMode;
      readonly socketPath: string;
      readonly preload: readonly string[];
      /** null at isolation level D. */
      readonly sandbox: SandboxSettings | null;
    }
  | ({ readonly type: 'fork'; readonly childId: string; readonly nonce: string } & ChildWorkspace)
  | { readonly type: 'kill'; readonly childId: string }
  | { readonly type: 'ping'; readonly nonce: string }
  | { readonly type: 'stop' };

/** What a child may reach while it lives, and nobody else. */
export interface ChildWorkspace {
  /** User and group that it becomes; null where it stays the template's. */
  readonly uid: number | null;
  readonly scratchPath: string;
  readonly stdoutPath: string;
  readonly stderrPath: string;
}

/** What a template must find, and what it must enter; it refuses to serve where it cannot. */
export interface SandboxSettings {
  readonly uid: number | null;
  readonly namespaces: boolean;
  readonly landlockAbi: number;
  readonly seccomp: boolean;
  readonly readPaths: readonly string[];
  readonly writePaths: readonly string[];
  readonly workspacesPath: string;
  /** User of the first workspace's child; the others follow. null where children stay the template's user. */
  readonly firstChildUid: number | null;
  /** File systems in memory to mount, one for each workspace; null where scratch folders are the host's. */
  readonly scratch: { readonly paths: readonly string[]; readonly bytes: number; readonly entries: number } | null;
}

/** Template → worker node. */
export type TemplateMessage =
  | {
      readonly type: 'ready';
      readonly pid: number;
      readonly pythonVersion: string;
      readonly pythonFullVersion: string;
      readonly executable: string;
      readonly preloaded: readonly string[];
    }
  | { readonly type: 'refused'; readonly code: string; readonly message: string }
  | { readonly type: 'forked'; readonly childId: string; readonly pid: number }
  | { readonly type: 'fork-failed'; readonly childId: string; readonly message: string }
  | ChildExited
  /** After `exited` without `isEmpty`, where scratch folders are the template's. */
  | { readonly type: 'emptied'; readonly childId: string; readonly isEmpty: boolean }
  | { readonly type: 'pong'; readonly nonce: string };

export interface ChildExited {
  readonly type: 'exited';
  readonly childId: string;
  readonly exitCode: number | null;
  readonly signal: number | null;
  /** CPU time, user and system, of the child and all it waited for or left behind. */
  readonly cpuMs: number;
  readonly maxRssBytes: number;
  /** Processes the child left behind, which were killed. */
  readonly leftovers: number;
  /** Whether its scratch folder is empty; always false where that is not the template's to know. */
  readonly isEmpty: boolean;
}

const templateShapes: MessageShapes = {
  ready: { pid: isInteger, pythonVersion: isText, pythonFullVersion: isText, executable: isText, preloaded: isTextList },
  refused: { code: isText, message: isText },
  forked: { childId: isText, pid: isInteger },
  'fork-failed': { childId: isText, message: isText },
  exited: { childId: isText, exitCode: nullOr(isInteger), signal: nullOr(isInteger), cpuMs: isNumber, maxRssBytes: isInteger, leftovers: isInteger, isEmpty: isBoolean },
  emptied: { childId: isText, isEmpty: isBoolean },
  pong: { nonce: isText },
}; // prettier-ignore

/** @throws FrameError */
export function parseTemplateMessage(header: FrameHeader): TemplateMessage {
  assertMessage(templateShapes, header);
  return header as unknown as TemplateMessage;
}
