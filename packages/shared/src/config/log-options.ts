import { matching, oneOf, option } from './option';

/** Settings of the log. A part of the option table. */
export const logOptions = {
  logLevel: option({
    name: 'PYTHON3_LOG_LEVEL', parse: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), default: 'info', accepts: '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`',
    description: 'Least severity that is logged. Probes of health and successful reads of figures are `debug`.',
  }),
  logFormat: option({
    name: 'PYTHON3_LOG_FORMAT', parse: oneOf('auto', 'json', 'text'), default: 'auto', accepts: '`auto`, `json` or `text`',
    description: 'How a log line reads: one JSON object, or text for a person. `auto`: text where standard error is a terminal. Text is in colour on a terminal, unless `NO_COLOR` is set.',
  }),
  noColor: option({
    name: 'NO_COLOR', parse: matching(/^/, 'any text'), default: '', defaultText: 'not set', accepts: 'anything',
    description: 'If set, terminals get no colours from the log, `doctor` and `top`; see [no-color.org](https://no-color.org).',
  }),
  logJobs: option({
    name: 'PYTHON3_LOG_JOBS', parse: oneOf('all', 'unsuccessful', 'none'), default: 'all', accepts: '`all`, `unsuccessful` or `none`',
    description: 'Of which jobs a worker node logs a line `job finished`. It names owner, lane, labels, program (a hash), outcome and times, and never code or values. A node with thousands of jobs a second may do without.',
  }),
} as const; // prettier-ignore
