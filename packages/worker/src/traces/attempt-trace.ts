import {
  ATTRIBUTES, createSpanId, createTraceId, formatTraceparent, MESSAGING_SYSTEM, parseTraceparent, recordSpan,
  SPAN_KINDS, SPAN_NAMES, traceNowMs,
  type Attempt, type FinishVerdict, type Job, type RecordedSpan, type SpanAttributes, type TraceContext, type Tracing,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Verdict } from '../jobs/judge-run';
import type { PreparedOutcome } from '../jobs/outcome-writer';
import type { Processed } from '../jobs/processed';
import type { RunReport } from '../jobs/run-in-slot';
import { attemptSpanId } from './attempt-span-id';
import { readChildSpans, type ChildSpans } from './child-spans';
import { errorTypeOf } from './error-type';
import type { AttemptStep, JobTrace } from '../jobs/job-trace';

/** Called when spans of a job that nobody sampled were exported. */
export type OnUnsampledExport = (jobId: string) => void;

/** Why an attempt came to nothing; its `error.type`. */
type LostBy = 'lock_lost' | 'node_stopping' | 'template_lost' | 'failure' | 'stale';

/**
 * The spans of one attempt at a job, in the order in which things happen to it:
 *
 *   producer span (the API's)
 *     ├─ wait in queue
 *     └─ process <lane>        one per attempt; the second and later ones link to the first
 *          ├─ verify · wait for slot · take child · mark start
 *          ├─ run
 *          │    ├─ compile
 *          │    └─ execute     its id is what the code finds in TRACEPARENT
 *          │         └─ spans that the program opens
 *          └─ write outcome
 *
 * Recorded for every attempt; what comes of it is decided at its end, when it is known whether the job failed.
 */
export class AttemptTrace implements JobTrace {
  private readonly tracing: Tracing;
  private readonly lane: string;
  private readonly jobId: string;
  private readonly workerId: string;
  private readonly onUnsampledExport: OnUnsampledExport;
  private consume: RecordedSpan;
  private steps: RecordedSpan[] = [];
  private inner: RecordedSpan[] = [];
  private context: TraceContext | undefined;
  private job: Job | undefined;
  private attempts: readonly Attempt[] = [];
  private hasStarted = false;
  private verdict: Pick<Verdict, 'status' | 'error'> | undefined;
  /** What the code is told to go on from. */
  private executeId = '';
  private sampled: boolean | undefined;
  private isAdmitted: boolean | undefined;

  constructor(
    tracing: Tracing,
    { lane, jobId }: { readonly lane: string; readonly jobId: string },
    workerId: string,
    onUnsampledExport: OnUnsampledExport,
  ) {
    this.tracing = tracing;
    this.lane = lane;
    this.jobId = jobId;
    this.workerId = workerId;
    this.onUnsampledExport = onUnsampledExport;
    this.consume = this.begin();
    this.step('verify');
  }

  private begin(): RecordedSpan {
    const { lane, jobId, workerId } = this;
    return recordSpan(SPAN_NAMES.consume(lane), SPAN_KINDS.consumer, undefined, traceNowMs(), {
      [ATTRIBUTES.messagingSystem]: MESSAGING_SYSTEM,
      [ATTRIBUTES.operation]: 'process',
      [ATTRIBUTES.operationType]: 'process',
      [ATTRIBUTES.destination]: lane,
      [ATTRIBUTES.messageId]: jobId,
      [ATTRIBUTES.jobId]: jobId,
      [ATTRIBUTES.workerId]: workerId,
    });
  }

  step(name: AttemptStep): void {
    const now = traceNowMs();
    const before = this.steps.at(-1);
    if (before !== undefined) before.endMs = now;
    this.steps.push(recordSpan(SPAN_NAMES[name], SPAN_KINDS.internal, this.consume, now));
  }

  belongsTo(job: Job): void {
    this.job = job;
    this.context = parseTraceparent(job.traceparent);
    Object.assign(this.consume.attributes, { [ATTRIBUTES.jobKind]: job.kind, [ATTRIBUTES.jobMode]: job.mode });
  }

  childTaken(pid: number, isWarm: boolean): void {
    this.annotate({ [ATTRIBUTES.pid]: pid, [ATTRIBUTES.isolation]: isWarm ? 'warm' : 'fresh' });
  }

  startDecided(attempts: readonly Attempt[], isStarted: boolean): void {
    this.attempts = attempts;
    this.hasStarted = isStarted;
  }

  get traceparentForCode(): string {
    this.context ??= this.ownContext();
    this.executeId = createSpanId();
    const { traceId } = this.context;
    return formatTraceparent({ traceId, spanId: this.executeId, isSampled: this.isSampled });
  }

  ran(report: RunReport, verdict: Verdict): void {
    const run = this.steps.at(-1);
    if (run === undefined) return;
    run.endMs = traceNowMs();
    run.errorType = verdict.status === 'succeeded' ? undefined : errorTypeOf(verdict);
    const { exit, killReason } = report;
    this.annotate({
      [ATTRIBUTES.cpuMs]: Math.round(exit.cpuMs),
      [ATTRIBUTES.maxMemoryBytes]: report.maxMemoryBytes,
      ...(exit.exitCode !== null && { [ATTRIBUTES.exitCode]: exit.exitCode }),
      ...(exit.signal !== null && { [ATTRIBUTES.signal]: exit.signal }),
      ...(killReason !== undefined && { [ATTRIBUTES.killReason]: killReason }),
    });
    const said = report.answer?.result.spans;
    // Killed, or too short of memory to tell: nothing is known of the inside, and the run itself is what the code went on from.
    if (said === undefined) run.spanId = this.executeId;
    else this.look(readChildSpans(said, [run.startMs, run.endMs]), run);
  }

  private look(spans: ReturnType<typeof readChildSpans>, run: RecordedSpan): void {
    if (typeof spans === 'string') {
      this.annotate({ [ATTRIBUTES.spansRefused]: spans });
      run.spanId = this.executeId;
      return;
    }
    if (spans.dropped > 0) this.annotate({ [ATTRIBUTES.spansDropped]: spans.dropped });
    this.inner = toInnerSpans(spans, run, this.executeId);
    if (spans.execute === null) run.spanId = this.executeId;
  }

  judge(verdict: Pick<Verdict, 'status' | 'error'>): { traced?: true } {
    this.verdict = verdict;
    if (verdict.status === 'succeeded' || this.isSampled) return {};
    this.isAdmitted ??= this.tracing.admitFailure();
    return this.isAdmitted ? { traced: true } : {};
  }

  /** The attempt is over, by a verdict or because it was taken from this node (`why`). */
  private end(why?: LostBy): void {
    const { tracing, consume } = this;
    const status = why === undefined ? this.verdict?.status : undefined;
    consume.endMs = traceNowMs();
    const last = this.steps.at(-1);
    if (last !== undefined && last.endMs === last.startMs) last.endMs = consume.endMs;
    if (status !== undefined) consume.attributes[ATTRIBUTES.status] = status;
    if (status !== 'succeeded') consume.errorType = why ?? (this.verdict && errorTypeOf(this.verdict));
    const { isSampled } = this;
    if (!isSampled && (why !== undefined || this.isAdmitted !== true)) return;
    const context = (this.context ??= this.ownContext());
    const spans = this.complete(context);
    if (isSampled) return tracing.export(context.traceId, spans);
    tracing.exportUnsampled(context.traceId, spans);
    this.onUnsampledExport(this.jobId);
  }

  /** What became of a job whose outcome is not written now. One that was put back before it was started has nothing to tell. */
  handled(processed: Processed): Processed {
    switch (processed.kind) {
      case 'done':
        return processed.outcome === undefined ? processed : { kind: 'done', outcome: this.endingWith(processed.outcome) };
      case 'later':
        if (this.hasStarted) this.end();
        return processed;
      case 'lost':
      case 'stopped':
        if (this.hasStarted) this.end(processed.kind === 'lost' ? 'lock_lost' : 'node_stopping');
        return processed;
      case 'busy':
        return processed;
    }
  }

  failed(): void {
    if (this.hasStarted) this.end('failure');
  }

  private endingWith(outcome: PreparedOutcome): PreparedOutcome {
    const onWritten = (written: FinishVerdict): void => {
      outcome.onWritten(written);
      this.end(written === 'written' ? undefined : 'stale');
    };
    return { ...outcome, onWritten };
  }

  again(): void {
    this.end('template_lost');
    const { job } = this;
    this.consume = this.begin();
    this.steps = [];
    this.inner = [];
    this.attempts = [];
    this.hasStarted = false;
    this.executeId = '';
    this.context = this.sampled = this.verdict = this.isAdmitted = undefined;
    this.step('verify');
    if (job !== undefined) this.belongsTo(job);
  }

  private get isSampled(): boolean {
    const { context, tracing } = this;
    return (this.sampled ??= context !== undefined && tracing.isSampled(context.traceId, context));
  }

  private annotate(attributes: SpanAttributes): void {
    Object.assign(this.steps.at(-1)?.attributes ?? {}, attributes);
  }

  /** Ids and links are only worth making now. */
  private complete({ traceId, spanId }: TraceContext): RecordedSpan[] {
    const { consume, job, attempts } = this;
    consume.parent = spanId === '' ? undefined : spanId;
    if (consume.errorType !== undefined) consume.attributes[ATTRIBUTES.errorType] = consume.errorType;
    for (const span of [...this.steps, ...this.inner])
      if (span.errorType !== undefined) span.attributes[ATTRIBUTES.errorType] = span.errorType;
    const number = attempts.length;
    if (number > 0) consume.attributes[ATTRIBUTES.attempt] = number;
    if (job !== undefined && this.hasStarted) {
      consume.spanId = attemptSpanId(traceId, job.id, number);
      if (number > 1) consume.links = [{ spanId: attemptSpanId(traceId, job.id, 1), attributes: { [ATTRIBUTES.attempt]: 1 } }];
    }
    const waited = job === undefined || spanId === '' ? [] : [this.queueWait(job, spanId)];
    return [...waited, consume, ...this.steps, ...this.inner];
  }

  /** From the clock of the API, or of the node that had it before: never later than now. */
  private queueWait(job: Job, parent: string): RecordedSpan {
    const { consume, attempts } = this;
    const before = this.hasStarted ? attempts.at(-2) : attempts.at(-1);
    const since = before === undefined ? Math.max(job.issuedAt, job.startAfter ?? 0) : (before.finishedAt ?? before.startedAt);
    const span = recordSpan(SPAN_NAMES.queueWait, SPAN_KINDS.internal, parent, Math.min(since, consume.startMs), {
      [ATTRIBUTES.destination]: this.lane,
      [ATTRIBUTES.workerId]: this.workerId,
    });
    span.endMs = consume.startMs;
    return span;
  }

  /** Of a job whose own trace nobody can tell. */
  private ownContext(): TraceContext {
    return { traceId: createTraceId(), spanId: '', isSampled: false };
  }
}

function toInnerSpans({ compile, execute, user }: ChildSpans, run: RecordedSpan, executeId: string): RecordedSpan[] {
  const spans: RecordedSpan[] = [];
  const add = (name: string, parent: RecordedSpan, [startMs, endMs]: readonly [number, number]): RecordedSpan => {
    const span = recordSpan(name, SPAN_KINDS.internal, parent, startMs);
    span.endMs = endMs;
    spans.push(span);
    return span;
  };
  if (compile !== null) add(SPAN_NAMES.compile, run, compile);
  const executed = execute === null ? undefined : add(SPAN_NAMES.execute, run, execute);
  if (executed !== undefined) {
    executed.spanId = executeId;
    executed.errorType = run.errorType;
  }
  const opened: RecordedSpan[] = [];
  for (const { name, parent, interval, attributes, errorType } of user) {
    const span = add(name, opened[parent] ?? executed ?? run, interval);
    Object.assign(span.attributes, attributes, { [ATTRIBUTES.origin]: 'program' });
    span.errorType = errorType ?? undefined;
    opened.push(span);
  }
  return spans;
}
