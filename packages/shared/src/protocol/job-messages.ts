import { FrameError, type Frame } from './frames';
import { assertMessage, isBoolean, isInteger, isOneOf, isShape, isText, nullOr, type MessageShapes } from './message-shape';
import type { JobMode, RunKind } from '../jobs/job-words';

/** Worker node → child; `docs/wire-protocol.md` §1.2. The body of `run` is the payload. */
export type WorkerJobMessage = RunMessage | { readonly type: 'ping'; readonly nonce: string };

export interface RunMessage {
  readonly type: 'run';
  readonly nonce: string;
  readonly kind: RunKind;
  readonly mode: JobMode;
  readonly limits: ChildLimits;
  /** null: that of the run before, of a child that has run before. */
  readonly policy: { readonly allowedModules: readonly string[]; readonly blockedModules: readonly string[] } | null;
  readonly traceparent: string | null;
  /** Whether the result is to tell of its spans. */
  readonly spans: boolean;
  /** Whether the child is to wait for another run after its result. */
  readonly keep: boolean;
}

/** What the child sets on itself; wall clock, precise CPU time and the tree's memory are the worker node's. */
export interface ChildLimits {
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly fileSizeBytes: number;
  readonly openFiles: number;
  readonly processes: number;
  readonly valueBytes: number;
}

/** Child → worker node. The body of `result` is the value. */
export type ChildMessage =
  | { readonly type: 'hello'; readonly childId: string; readonly nonce: string }
  | { readonly type: 'pong'; readonly nonce: string }
  | ChildResult
  /** After the result of a run with `keep`: in order again, and ready for the next. */
  | { readonly type: 'waiting'; readonly nonce: string };

export interface ChildResult {
  readonly type: 'result';
  readonly nonce: string;
  readonly status: 'succeeded' | 'failed';
  readonly hasValue: boolean;
  readonly error: ChildError | null;
  /** Of a run with `spans`. Whatever it is, it is no protocol error: who wants it reads it with suspicion. */
  readonly spans?: unknown;
}

export interface ChildError {
  /** Name of the exception class. */
  readonly type: string;
  readonly message: string;
  /** Line of the user's code, 1-based. */
  readonly line: number | null;
  readonly traceback: string;
  readonly errno: number | null;
}

const isChildError = isShape({ type: isText, message: isText, line: nullOr(isInteger), traceback: isText, errno: nullOr(isInteger) });

const childShapes: MessageShapes = {
  hello: { childId: isText, nonce: isText },
  pong: { nonce: isText },
  result: { nonce: isText, status: isOneOf('succeeded', 'failed'), hasValue: isBoolean, error: nullOr(isChildError) },
  waiting: { nonce: isText },
};

/** @throws FrameError */
export function parseChildMessage({ header, body }: Frame): ChildMessage {
  assertMessage(childShapes, header);
  if (header.type !== 'result' && body.length > 0) throw new FrameError(`'${header.type}' has no body`);
  return header as unknown as ChildMessage;
}
