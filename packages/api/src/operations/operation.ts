import { callerOf } from '../requests/request-state';
import type { ErrorCode, Role } from '@python3-cluster/shared';
import type { Request, Response } from 'express';
import type { Caller } from '../requests/caller';
import type { JsonValue } from '../responses/raw-json';

/** Who may call: a key of at least this role; `metrics`: any key or the metrics token; `public`: anybody. */
export type Access = Role | 'metrics' | 'public';

/** `read` leaves everything as it is, `change` changes what the cluster keeps, `run` starts a program. */
export type Effect = 'read' | 'change' | 'run';

/**
 * One thing a caller may ask for, as data. The server's steps, the route table of docs/http-api.md and the test of
 * roles are made from it, so that none of them can disagree with another.
 */
export interface Operation {
  readonly method: 'get' | 'post' | 'delete';
  /** Express' form: `/api/v1/jobs/:id`. */
  readonly path: string;
  readonly access: Access;
  readonly effect: Effect;
  /** Names of the query parameters it takes; others are refused. `any`: a page that links may be decorated with. */
  readonly query?: readonly string[] | 'any';
  /** `json`: the body is read before the handler runs. Absent: it is not looked at. */
  readonly body?: 'json';
  /** Fields of the body, in Markdown. */
  readonly fields?: string;
  /** Status → what the answer holds, in Markdown. */
  readonly answers: Readonly<Record<number, string>>;
  /** Errors of its own, beside those every operation may answer with. */
  readonly errors?: readonly ErrorCode[];
  /** Requests for exactly this path take the short cut past Express (`short-cut.ts`). */
  readonly isDirect?: true;
  /** Answered also while the replica drains. */
  readonly whileDraining?: true;
}

/** A request that has passed every step its operation declares. */
export interface Call {
  readonly request: Request;
  readonly response: Response;
  readonly query: ReadonlyMap<string, string>;
  /** @throws Error where the operation is `public` or `metrics` */
  readonly caller: Caller;
}

export interface Answer {
  readonly status: number;
  readonly body: JsonValue;
}

/** Gives the answer, or nothing where it has written the response itself: streams, pages, callers that wait. */
export type Handle = (call: Call) => Answer | void | Promise<Answer | void>;

export const ok = (body: JsonValue): Answer => ({ status: 200, body });

/** A part of a path such as `:id`. */
export const parameterOf = ({ request }: Pick<Call, 'request'>, name: string): string => String(request.params[name]);

/** The call of a request whose steps are done. */
export function callOf(request: Request, response: Response, query: ReadonlyMap<string, string>): Call {
  return {
    request,
    response,
    query,
    get caller() {
      return callerOf(response);
    },
  };
}
