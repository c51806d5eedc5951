/** What a template has been through since it was ready. */
export interface TemplateWear {
  readonly forks: number;
  readonly ageMs: number;
  /** Growth of its resident memory. */
  readonly grownBytes: number;
}

/** Where one of them is passed the template is replaced; 0 is no bound. */
export interface WearLimits {
  readonly forks: number;
  readonly ageMs: number;
  readonly grownBytes: number;
}

export function reasonToRecycle(wear: TemplateWear, limits: WearLimits): string | undefined {
  if (limits.forks > 0 && wear.forks >= limits.forks) return `${wear.forks} forks`;
  if (limits.ageMs > 0 && wear.ageMs >= limits.ageMs) return `${Math.round(wear.ageMs / 1_000)} s old`;
  if (limits.grownBytes > 0 && wear.grownBytes >= limits.grownBytes) return `grown by ${Math.round(wear.grownBytes / 1_048_576)} MiB`;
  return undefined;
}
