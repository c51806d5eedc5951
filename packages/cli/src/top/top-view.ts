import type { ClusterReading } from './cluster-reading';

/** What is to be drawn. */
export interface TopView {
  readonly url: string;
  /** Epoch ms, by the clock of this host. */
  readonly now: number;
  readonly reading: ClusterReading;
  /** Jobs that ended per second, over the last seconds; undefined where only one reading was taken. */
  readonly perSecond: number | undefined;
  /** Since when the API cannot be reached; the figures are the last known. */
  readonly unreachableSince?: number;
  readonly warning?: string;
  /** Id of the running job that is marked, to be cancelled. */
  readonly marked?: string | undefined;
  /** A question, or what came of a key that was pressed; the last line of the picture. */
  readonly note?: string | undefined;
  readonly showsHelp?: boolean;
}
