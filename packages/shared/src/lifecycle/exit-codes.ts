/** Exit codes of `python3-cluster`, by name. */
export const EXIT_CODES = {
  ok: 0,
  /** A taken port, a second start, an unreachable or unsuitable service, a folder or address that cannot be used. */
  cannotStart: 1,
  /** Bad configuration or command line. */
  usage: 2,
  /** Stopped, but not everything ended within its time, or a second signal came. */
  forced: 3,
  /** An exception nobody expected. */
  defect: 70,
} as const;
