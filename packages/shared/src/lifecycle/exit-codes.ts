/** Exit codes of `python3-cluster`, by name. */
export const EXIT_CODES = {
  ok: 0,
  /** A taken port, a second start, an unreachable or unsuitable service. */
  cannotStart: 1,
  /** Bad configuration or command line. */
  usage: 2,
  /** Stopped, but not everything ended within its time. */
  forced: 3,
  /** An exception nobody expected. */
  defect: 70,
} as const;
