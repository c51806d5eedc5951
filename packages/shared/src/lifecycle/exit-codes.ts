/** Exit codes of `python3-cluster`, by name. */
export const EXIT_CODES = {
  ok: 0,
  /** A second start, an unreachable or unsuitable service, an address that is not there: trying again may help. */
  cannotStart: 1,
  /** Bad command line, or settings that cannot work on this host: trying again changes nothing. */
  usage: 2,
  /** Stopped, but not everything ended within its time, or a second signal came. */
  forced: 3,
  /** An exception nobody expected. */
  defect: 70,
} as const;
