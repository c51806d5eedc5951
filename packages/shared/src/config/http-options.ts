import { integerBetween, option } from './option';

/** Settings of the HTTP side. A part of the option table. */
export const httpOptions = {
  maxBodyBytes: option({
    name: 'PYTHON3_MAX_BODY_BYTES', parse: integerBetween(1_024, 67_108_864), default: 16_777_216, accepts: 'bytes, 1,024 to 67,108,864',
    description: 'Largest request body the API reads.',
  }),
  maxInflightBodyMb: option({
    name: 'PYTHON3_MAX_INFLIGHT_BODY_MB', parse: integerBetween(1, 65_536), default: 64, accepts: 'MiB, 1 to 65,536',
    description: 'Bytes of request bodies that an API replica holds at once, from the first until the job is queued (`BODIES_FULL`). A body alone is always taken. It takes about six times as much memory.',
  }),
  answerStallSeconds: option({
    name: 'PYTHON3_ANSWER_STALL_SECONDS', parse: integerBetween(1, 3_600), default: 30, accepts: 'seconds, 1 to 3,600',
    description: 'How long a client may take nothing of an answer that is there for it before it is disconnected. Event streams: `PYTHON3_EVENTS_STALL_SECONDS`.',
  }),
} as const; // prettier-ignore
