/** What is not known. */
export const UNKNOWN = '–';

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export const formatCount = (count: number | undefined): string => (count === undefined ? UNKNOWN : grouped.format(count));

export function formatRate(perSecond: number | undefined): string {
  if (perSecond === undefined) return UNKNOWN;
  return `${perSecond >= 100 ? grouped.format(perSecond) : perSecond.toFixed(1)}/s`;
}

export const formatShare = (share: number | undefined): string => (share === undefined ? UNKNOWN : `${(100 * share).toFixed(1)} %`);

/** In the unit that leaves it short: `0.4 ms`, `85 ms`, `1.2 s`, `3 min`, `2.5 h`. */
export function formatDuration(ms: number | undefined): string {
  if (ms === undefined) return UNKNOWN;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

/** `[||||    ]`, so many of so many. */
export function formatBar(part: number | undefined, whole: number | undefined, width: number): string {
  const share = part === undefined || whole === undefined || whole <= 0 ? 0 : Math.min(1, Math.max(0, part / whole));
  const filled = Math.round(share * width);
  return `[${'|'.repeat(filled)}${' '.repeat(width - filled)}]`;
}

/** `3.4/16 GiB`, so much of so much. */
export function formatMemory(used: number | undefined, total: number | undefined): string {
  if (used === undefined || total === undefined) return UNKNOWN;
  const gibibytes = (bytes: number): string => (bytes / 1_073_741_824).toFixed(1);
  return `${gibibytes(used)}/${gibibytes(total)} GiB`;
}
