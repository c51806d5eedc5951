import { integerBetween, option } from './option';

/** Settings of quarantine. A part of the option table. */
export const quarantineOptions = {
  quarantineBreaches: option({
    name: 'PYTHON3_QUARANTINE_BREACHES', parse: integerBetween(0, 1_000), default: 5, accepts: '0 to 1,000',
    description: 'Crashes and breaches of default limits within `PYTHON3_QUARANTINE_WINDOW_SECONDS` after which a caller’s program is quarantined, if they are over half of its runs (`PROGRAM_QUARANTINED`). 0: never. Set it alike on all worker nodes, as the next two.',
  }),
  quarantineWindowSeconds: option({
    name: 'PYTHON3_QUARANTINE_WINDOW_SECONDS', parse: integerBetween(1, 86_400), default: 600, accepts: 'seconds, 1 to 86,400',
    description: 'How long a breach counts towards a quarantine.',
  }),
  quarantineSeconds: option({
    name: 'PYTHON3_QUARANTINE_SECONDS', parse: integerBetween(1, 604_800), default: 600, accepts: 'seconds, 1 to 604,800',
    description: 'How long a quarantined program is refused before one job may try it.',
  }),
} as const; // prettier-ignore
